/** Completion scripts: words of commands and their options, for three shells. */
import { COMMANDS } from '../catalogue.ts';
import type { CommandSpec, Run } from '../command.ts';
import { DISPLAY_OPTIONS, GLOBAL_OPTIONS } from '../program.ts';

const flagsOf = (command: CommandSpec): string[] =>
  [...(command.options ?? []), ...(command.shows ? DISPLAY_OPTIONS[command.shows] : []), ...GLOBAL_OPTIONS].flatMap(
    (o) => o.flags.match(/--[a-z0-9-]+/g) ?? [],
  );

/** What may follow each beginning of a command. */
function words(): Map<string, string[]> {
  const next = new Map<string, Set<string>>();
  for (const { name } of COMMANDS) {
    const parts = name.split(' ');
    parts.forEach((part, i) => {
      const before = parts.slice(0, i).join(' ');
      next.set(before, (next.get(before) ?? new Set()).add(part));
    });
  }
  return new Map([...next].map(([before, set]) => [before, [...set]]));
}

function bash(): string {
  const cases = [
    ...[...words()].map(([before, next]) => `    '${before}') words='${next.join(' ')}' ;;`),
    ...COMMANDS.map((c) => `    '${c.name}') words='${flagsOf(c).join(' ')}' ;;`),
  ];
  return `_baremetal() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) if [ -n "$(_baremetal_next "\${path:+$path }$word")" ]; then path="\${path:+$path }$word"; fi ;; esac
  done
  words="$(_baremetal_next "$path")"
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
_baremetal_next() {
  local words=''
  case "$1" in
${cases.join('\n')}
  esac
  printf %s "$words"
}
complete -o default -F _baremetal baremetal
`;
}

function fish(): string {
  const lines = ['complete -c baremetal -f'];
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  lines.push(
    'function __baremetal_path',
    "  string join ' ' (string match -v -- '-*' (commandline -opc)[2..-1])",
    'end',
  );
  for (const [before, next] of words())
    lines.push(`complete -c baremetal -n 'test (__baremetal_path) = "${before}"' -a '${next.join(' ')}'`);
  for (const command of COMMANDS) {
    const condition = `string match -q -- "${command.name}*" (__baremetal_path)`;
    for (const o of command.options ?? []) {
      const flag = /--([a-z0-9-]+)/.exec(o.flags)?.[1];
      if (flag) lines.push(`complete -c baremetal -n ${quote(condition)} -l ${flag} -d ${quote(o.help)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

export const printCompletion: Run = async ({ args, io }) => {
  const shell = args[0];
  io.out(
    shell === 'fish' ? fish() : shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash()}` : bash(),
  );
  return undefined;
};
