# Completion for bash. Written by `tapeir help --completion`.
_tapeir() {
  local word=${COMP_WORDS[COMP_CWORD]} options
  local previous=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W 'info explain dump dot view run grad check opt convert diff bench train ops help --help --version' -- "$word"))
    return
  fi
  case $previous in
    --pipeline) COMPREPLY=($(compgen -W 'none basic full' -- "$word")); return ;;
    --output-dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --checkpoint-as | --data | --head | --input | --output | --plot | --profile | --save-as | --trace) COMPREPLY=($(compgen -f -- "${word#*=}")); return ;;
    --after | --batch | --before | --checkpoint | --epochs | --graph | --lr | --passes | --runs | --samples | --seed | --shape | --set | --steps | --stop-after | --threads | --wrt) return ;;
  esac
  case ${COMP_WORDS[1]} in
    info) options="--json --help " ;;
    explain) options="--graph --json --pipeline --help " ;;
    dump) options="--after --before --gradient --graph --passes --pipeline --plan --stop-after --help " ;;
    dot) options="--graph --pipeline --help " ;;
    view) options="--force --gradient --graph --output --pipeline --profile --help " ;;
    run) options="--force --graph --input --output-dir --pipeline --reference --save-as --threads --train --help " ;;
    grad) options="--force --graph --head --input --output-dir --pipeline --threads --wrt --help " ;;
    check) options="--graph --input --json --samples --seed --threads --help " ;;
    opt) options="--force --graph --output --passes --pipeline --help " ;;
    convert) options="--force --output --shape --help " ;;
    diff) options="--graph --json --help " ;;
    bench) options="--force --graph --input --json --pipeline --runs --seed --threads --trace --help " ;;
    train) options="--batch --checkpoint --checkpoint-as --data --epochs --force --graph --json --lr --plot --restart --save-as --seed --set --steps --threads --help " ;;
    ops) options="--json --markdown --help " ;;
    help) options="--man --completion --help " ;;
    *) return ;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _tapeir tapeir
