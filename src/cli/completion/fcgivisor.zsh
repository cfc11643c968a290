#compdef fcgivisor
# zsh completion for fcgivisor, made by "fcgivisor completion zsh"
# For everybody: /usr/share/zsh/vendor-completions/_fcgivisor
# For yourself, in ~/.zshrc, behind compinit: source <(fcgivisor completion zsh)

_fcgivisor() {
    local -a lines described
    local line
    lines=("${(@f)$("${(Q)words[1]/#\~/$HOME}" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    # Candidates are for the value alone.
    [[ $PREFIX == -*=* ]] && compset -P '*='
    case $lines[1] in
        files) _files ;;
        folders) _files -/ ;;
        *)
            for line in "${(@)lines[2,-1]}"; do
                described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
            done
            (( $#described )) && _describe -t values fcgivisor described
            ;;
    esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _fcgivisor "$@"
else
    compdef _fcgivisor fcgivisor
fi
