/** The completion script of bash. */
import { NODE_NAMES, type Table, type Values } from './table.ts';

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const wordsOf = (values: Values): string => (values === 'any' ? '' : values === 'node' ? '@node' : values.join(' '));
const cases = (map: ReadonlyMap<string, string>): string =>
  [...map].map(([key, words]) => `    ${quote(key)}) words=${quote(words)} ;;`).join('\n');
const texts = (map: ReadonlyMap<string, Values>) => new Map([...map].map(([key, values]) => [key, wordsOf(values)]));

export function bashScript({ next, positional, valueOf, valueOfCommand, variadic }: Table): string {
  const following = new Map([...next].map(([path, entries]) => [path, entries.map((e) => e.word).join(' ')]));
  return `_baremetal_next() {
  words=''
  case "$1" in
${cases(following)}
    *) return 1 ;;
  esac
}
_baremetal_positional() {
  words=''
  case "$1" in
${cases(texts(positional))}
    *) return 1 ;;
  esac
}
_baremetal_value() {
  words=''
  case "$1 $2" in
${cases(texts(valueOfCommand))}
    *)
  case "$2" in
${cases(texts(valueOf))}
    *) return 1 ;;
  esac ;;
  esac
}
_baremetal() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" flag='' path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) flag="$word"; continue ;; esac
    case "$flag" in ${variadic.join(' | ')}) ;; *) flag='' ;; esac
    if _baremetal_next "\${path:+$path }$word"; then path="\${path:+$path }$word"; fi
  done
  words=''
  if ! { [ "\${cur#-}" = "$cur" ] && { _baremetal_value "$path" "$flag" || _baremetal_positional "$path"; }; }; then
    _baremetal_next "$path"
  fi
  if [ "$words" = '@node' ]; then words="$(${NODE_NAMES})"; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _baremetal baremetal
`;
}
