/** The completion script of zsh. */
import { type Entry, NODE_NAMES, type Table, type Values } from './table.ts';

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const described = ({ word, help }: Entry): string => quote(`${word.replaceAll(':', '\\:')}:${help || word}`);
const valuesText = (values: Values): string =>
  values === 'any' ? 'kind=files' : values === 'node' ? 'kind=nodes' : `reply=(${values.map(quote).join(' ')})`;
const cases = (map: ReadonlyMap<string, Values>): string =>
  [...map].map(([key, values]) => `    ${quote(key)}) ${valuesText(values)} ;;`).join('\n');

export function zshScript({ next, positional, valueOf, valueOfCommand, variadic }: Table): string {
  const following = [...next]
    .map(([path, entries]) => `    ${quote(path)}) reply=(${entries.map(described).join(' ')}) ;;`)
    .join('\n');
  return `#compdef baremetal
_baremetal_next() {
  reply=()
  case "$1" in
${following}
    *) return 1 ;;
  esac
}
_baremetal_positional() {
  reply=() kind=''
  case "$1" in
${cases(positional)}
    *) return 1 ;;
  esac
}
_baremetal_value() {
  reply=() kind=''
  case "$1 $2" in
${cases(valueOfCommand)}
    *)
  case "$2" in
${cases(valueOf)}
    *) return 1 ;;
  esac ;;
  esac
}
_baremetal_offer() {
  case "$kind" in
    files) _files ;;
    nodes) reply=(\${(f)"$(${NODE_NAMES})"}); compadd -a reply ;;
    *) compadd -a reply ;;
  esac
}
_baremetal() {
  local path_='' flag='' word kind=''
  local -a reply
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ "$word" == -* ]]; then flag="$word"; continue; fi
    case "$flag" in ${variadic.join(' | ')}) ;; *) flag='' ;; esac
    if _baremetal_next "\${path_:+$path_ }$word"; then path_="\${path_:+$path_ }$word"; fi
  done
  if [[ "\${words[CURRENT]}" != -* ]] && { _baremetal_value "$path_" "$flag" || _baremetal_positional "$path_" }; then
    _baremetal_offer
    return
  fi
  _baremetal_next "$path_"
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe -o option reply; else _describe word reply; fi
}
if [[ "\${funcstack[1]}" == _baremetal ]]; then _baremetal "$@"; else compdef _baremetal baremetal; fi
`;
}
