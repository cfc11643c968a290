# fish completion for fcgivisor, made by "fcgivisor completion fish"
# For everybody: /usr/share/fish/vendor_completions.d/fcgivisor.fish
# For yourself: ~/.config/fish/completions/fcgivisor.fish

function __fcgivisor_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    set -l lines (command $program complete -- $words "$typed" 2>/dev/null)
    # Candidates are for the value alone; fish wants the whole word.
    set -l option (string match -r -- '^-.*?=' "$typed")
    set -l value (string replace -r -- '^-.*?=' '' "$typed")
    switch "$lines[1]"
        case files
            string replace -r -- '^' "$option" (__fish_complete_path $value)
        case folders
            string replace -r -- '^' "$option" (__fish_complete_directories $value)
        case words
            test (count $lines) -gt 1
            and string replace -r -- '^' "$option" $lines[2..]
    end
end

complete -c fcgivisor -f -a '(__fcgivisor_complete)'
