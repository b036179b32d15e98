/** The completion script of fish. */
import { type Entry, NODE_NAMES, type Table, type Values } from './table.ts';

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const offered = ({ word, help }: Entry): string => quote(help === '' ? word : `${word}\t${help}`);
const print = (words: readonly string[]): string => `printf '%s\\n' ${words.join(' ')}`;
const valuesText = (values: Values): string =>
  values === 'any'
    ? '__fish_complete_path (commandline -ct)'
    : values === 'node'
      ? NODE_NAMES
      : print(values.map(quote));
const cases = (map: ReadonlyMap<string, Values>): string =>
  [...map].map(([key, values]) => `    case ${quote(key)}\n      ${valuesText(values)}`).join('\n');

export function fishScript({ next, positional, valueOf, valueOfCommand, variadic }: Table): string {
  const following = [...next]
    .map(([path, entries]) => `    case ${quote(path)}\n      ${print(entries.map(offered))}`)
    .join('\n');
  return `function __baremetal_next
  switch $argv[1]
${following}
    case '*'
      return 1
  end
end
function __baremetal_positional
  switch $argv[1]
${cases(positional)}
    case '*'
      return 1
  end
end
function __baremetal_value
  switch "$argv[1] $argv[2]"
${cases(valueOfCommand)}
    case '*'
      switch $argv[2]
${cases(valueOf)}
    case '*'
      return 1
      end
  end
end
function __baremetal_complete
  set -l path ''
  set -l flag ''
  set -l tokens (commandline -opc)
  for word in $tokens[2..-1]
    if string match -q -- '-*' $word
      set flag $word
      continue
    end
    contains -- $flag ${variadic.join(' ')}; or set flag ''
    set -l longer (string trim -- "$path $word")
    if __baremetal_next $longer >/dev/null
      set path $longer
    end
  end
  if not string match -q -- '-*' (commandline -ct)
    __baremetal_value "$path" "$flag"; and return
    __baremetal_positional "$path"; and return
  end
  __baremetal_next "$path"
end
complete -c baremetal -f -a '(__baremetal_complete)'
`;
}
