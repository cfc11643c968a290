# bash completion for fcgivisor, made by "fcgivisor completion bash"
# For everybody: /usr/share/bash-completion/completions/fcgivisor
# For yourself, in ~/.bashrc: source <(fcgivisor completion bash)

_fcgivisor() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word kind value i
    # bash splits words at = and : as well; what has no blank between is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=${line#"${line%%[![:space:]]*}"}
        if ((i > 0)) && [[ -n $word && $line == "$word"* ]]; then
            words[-1]+=$word
        else
            line=${line#"${line%%[![:space:]]*}"}
            words+=("$word")
        fi
        line=${line#"$word"}
    done
    COMPREPLY=()
    {
        read -r kind
        case $kind in
            files) compopt -o default ;;
            folders) compopt -o dirnames ;;
            *) while IFS=$'\t' read -r value _; do COMPREPLY+=("$value"); done ;;
        esac
    } < <("${words[0]/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null)
}

complete -F _fcgivisor fcgivisor
