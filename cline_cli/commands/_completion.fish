# Completion of cline for fish, 3.1 and later. `cline completion fish` prints this file with its tables.

#@ tables

# Reads the words before the cursor, once for a line; sets what the functions below look at.
function __cline_read
    set --local words (commandline --tokenize --current-process --cut-at-cursor)
    set --erase words[1]
    if set --query __cline_words; and test (count $words) -eq (count $__cline_words); and test "$words" = "$__cline_words"
        return
    end
    set --global __cline_words $words
    set --global __cline_verb ''
    set --global __cline_place ''
    set --global __cline_given
    set --global __cline_where
    set --global __cline_optional ''
    set --local long ''
    set --local takes ''
    set --local legal ''
    set --local offer ''
    set --local attached
    set --local literal ''
    set --local pending ''
    for word in $words
        if test -n "$pending"
            set pending ''
            __cline_take_where "$long" "$word"
        else if test -n "$__cline_optional"; and string match --quiet --regex -- "^($legal)\$" "$word"
            set __cline_optional ''
        else if test -n "$literal"; or not string match --quiet --regex -- '^-.' "$word"
            set __cline_optional ''
            __cline_take_word "$word"
        else if test "$word" = --
            set __cline_optional ''
            set literal yes
            if test -z "$__cline_verb"
                set __cline_verb run
                set __cline_place run
            end
        else
            __cline_read_option "$word"
            set pending ''
            set __cline_optional ''
            set --append __cline_given "$long"
            if set --query attached[1]
                __cline_take_where "$long" "$attached"
            else if test "$takes" = value
                set pending "$offer"
            else if test "$takes" = optional
                set __cline_optional "$offer"
            end
        end
    end
    # An option whose value is being completed is not given yet.
    test -n "$pending"; and set --erase __cline_given[-1]
    set --global __cline_pending "$pending"
end

# A word that is no option: a verb, one of its own words, or part of a prompt, which is never completed.
function __cline_take_word --argument-names word
    if test -z "$__cline_verb"
        set __cline_verb (__cline_find_verb "$word")
        set __cline_place "$__cline_verb"
    else
        set __cline_place "$__cline_place $word"
        test "$__cline_verb" = auth; and set --append __cline_where "--provider=$word"
    end
end

# Takes the value of an option along for `cline completion words`, where it says where to look.
function __cline_take_where --argument-names name value
    contains -- "$name" --provider --config --data-dir --cwd; and set --append __cline_where "$name=$value"
end

# The option in a word, or the one of its short ones that takes a value: sets long, takes, legal, offer and attached of
# __cline_read.
function __cline_read_option --no-scope-shadowing
    set attached
    if string match --quiet -- '--*' "$argv[1]"
        if string match --quiet -- '*=*' "$argv[1]"
            set attached (string replace --regex -- '^[^=]*=' '' "$argv[1]")
        end
        __cline_flag (__cline_owner) (string replace --regex -- '=.*' '' "$argv[1]")
        return
    end
    set --local letters (string split '' -- (string sub --start 2 -- "$argv[1]"))
    while set --query letters[1]
        __cline_flag (__cline_owner) "-$letters[1]"
        set --erase letters[1]
        test -n "$takes"; and break
    end
    set --query letters[1]; and set attached (string replace --regex -- '^=' '' (string join '' -- $letters))
    return 0
end

# Whose options stand here: the verb's, or those of a run before there is one.
function __cline_owner
    test -n "$__cline_verb"; and echo $__cline_verb; or echo run
end

# Whether options of the verb stand here, and none of the further names was given already.
function __cline_in
    __cline_read
    test (__cline_owner) = "$argv[1]"; or return
    for name in $argv[2..-1]
        contains -- "$name" $__cline_given; and return 1
    end
    return 0
end

# Whether the person spells an option by another name of it, which is offered to nobody else.
function __cline_begins --argument-names name own
    set --local current (commandline --current-token)
    contains -- "$name" $__cline_words[-1]; or string match --quiet -- "$name=*" "$current"; and return
    string match --quiet --regex -- '^--.' "$current"; and __cline_is_start "$current" "$name"
    and not __cline_is_start "$current" "$own"
end

function __cline_is_start --argument-names start word
    test (string sub --length (string length -- "$start") -- "$word") = "$start"
end

# Prints what is offered under a name, a line each, with what it is behind a tab. Where no word begins with what was
# typed, fish looks for it anywhere, in the descriptions too: words that do not hold it are left out here.
function __cline_offer
    set --local paths ''
    set --local asks
    set --local current (string replace --regex -- '^--[^=]*=' '' (commandline --current-token))
    set --local typed (string replace --all --regex -- '^["\']|\\\\' '' "$current")
    set --local pattern '^[^\t]*'(string escape --style=regex -- "$typed")'.*'
    __cline_choices "$argv[1]" | string match --regex --ignore-case -- "$pattern"
    __cline_set_sources "$argv[1]"
    if test "$paths" = folders
        __fish_complete_directories "$current" ''
    end
    if set --query asks[1]; and set --query __cline_command[1]
        $__cline_command completion words $__cline_where $asks -- "$typed" 2>/dev/null </dev/null
    end
end

# Prints what may stand between the options.
function __cline_offer_place
    __cline_read
    test -n "$__cline_pending"; and return
    test -n "$__cline_optional"; and __cline_offer "$__cline_optional"
    __cline_offer_at "$__cline_place"
end

# Takes what the command says now, for this shell, where it was upgraded since the file was written.
function __cline_renew --argument-names file
    set --query __cline_command[1]; and command test $__cline_command[1] -nt "$file"; or return 0
    set --local fresh ($__cline_command completion fish 2>/dev/null </dev/null | string collect)
    string match --quiet -- '*__cline_offer_place*' "$fresh"; and printf '%s' "$fresh" | source
end
