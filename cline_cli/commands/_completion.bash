# Completion of cline for bash, 3.2 and later, without help from the bash-completion package.
# `cline completion bash` prints this file with its tables.
# shellcheck shell=bash disable=SC2034,SC2154  # the functions share the variables of _cline_complete, which declares them

#@ tables

# Called at <TAB>. Where letters count as the same, -p and -P would too. Behind `||` neither `set -e` nor a trap on ERR
# takes a test that says no for a failure, which would end the shell of the person.
_cline() {
    local has_no_case=''
    shopt -q nocasematch && has_no_case=1 && shopt -u nocasematch
    _cline_complete || :
    [[ -n $has_no_case ]] && shopt -s nocasematch
    return 0
}

# Reads the line up to the cursor, and leaves in COMPREPLY what may stand there.
_cline_complete() {
    local IFS=$' \t\n'
    COMPREPLY=()
    if [[ -n $_cline_file && ${_cline_command[0]-} -nt $_cline_file ]]; then
        # The command was upgraded since this file was written: for this shell, take what it says now.
        _cline_file=''
        local fresh
        fresh=$("${_cline_command[@]}" completion bash 2>/dev/null </dev/null)
        if [[ $fresh == *_cline_place* ]]; then
            eval "$fresh"
            _cline_complete
            return
        fi
    fi

    local -a words=() where=() choices=() asks=()
    local current=-1
    _cline_words

    local verb='' path='' gone=' ' literal='' pending='' optional='' plain paths=''
    local long takes legal offer rivals attached is_attached
    local -a flags=() others=()
    local index word
    for ((index = 1; index < current; index++)); do
        word=${words[index]}
        if [[ -n $pending ]]; then
            pending=''
            _cline_where "$word"
        elif [[ -n $optional && $word =~ ^($legal)$ ]]; then
            optional=''
        elif [[ -n $literal || $word != -?* ]]; then
            optional=''
            _cline_bare "$word"
        elif [[ $word == -- ]]; then
            optional='' literal=1
            [[ -z $verb ]] && verb=run path=run
        else
            _cline_option "$word"
            gone+="$rivals "
            pending='' optional=''
            if [[ -n $is_attached ]]; then
                _cline_where "$attached"
            elif [[ $takes == value ]]; then
                pending=$offer
            elif [[ $takes == optional ]]; then
                optional=$offer
            fi
        fi
    done

    word=${words[current]}
    if [[ -n $pending ]]; then
        _cline_offer "$pending"
        _cline_reply '' "$word"
    elif [[ -z $literal && $word == --*=* ]]; then
        _cline_option "$word"
        [[ -n $takes ]] && _cline_offer "$offer" && _cline_reply "${word%%=*}=" "$attached"
    elif [[ -z $literal && $word == -* ]]; then
        _cline_flags "${verb:-run}"
        _cline_reply_flags "$word"
    else
        [[ -n $optional ]] && _cline_offer "$optional"
        _cline_place "$path"
        _cline_reply '' "$word"
    fi
}

# The words of the line up to the cursor, whole: bash has cut them at COMP_WORDBREAKS as well.
_cline_words() {
    local rest=${COMP_LINE:0:COMP_POINT} position piece blanks
    for ((position = 0; position <= COMP_CWORD; position++)); do
        piece=${COMP_WORDS[position]}
        blanks=' '
        if [[ -n $COMP_LINE ]]; then
            blanks=${rest%%[![:space:]]*}
            rest=${rest#"$blanks"}
            ((position == COMP_CWORD)) && piece=$rest
            rest=${rest#"$piece"}
        fi
        if ((current >= 0)) && [[ -z $blanks && ($piece == [=:@]* || ${words[current]} == *[=:@]) ]]; then
            words[current]+=$piece
        else
            current=$((current + 1))
            words[current]=$piece
        fi
    done
}

# A word that is no option: a verb, one of its own words, or part of a prompt, which is never completed.
_cline_bare() {
    _cline_plain "$1"
    if [[ -z $verb ]]; then
        _cline_verb "$plain"
        path=$verb
    else
        path+=" $plain"
        [[ $verb == auth ]] && where[${#where[@]}]="--provider=$plain"
    fi
}

# Takes the value $1 of the option that was read last along for `cline completion words`, where it says where to look.
_cline_where() {
    case $long in
        --provider | --config | --data-dir | --cwd)
            _cline_plain "$1"
            where[${#where[@]}]="$long=$plain"
            ;;
    esac
}

# The option in the word $1, or the one of its short ones that takes a value; sets long, takes, legal, offer, rivals,
# and the value that is attached to it.
_cline_option() {
    attached='' is_attached=''
    if [[ $1 == --* ]]; then
        [[ $1 == *=* ]] && attached=${1#*=} is_attached=1
        _cline_flag "${verb:-run} ${1%%=*}"
        return
    fi
    local letters=${1#-} all=''
    while [[ -n $letters ]]; do
        _cline_flag "${verb:-run} -${letters:0:1}"
        letters=${letters:1}
        all+="$rivals "
        [[ -n $takes ]] && break
    done
    rivals=$all
    [[ -n $letters ]] && attached=${letters#=} is_attached=1
}

# The word $1 without its quotes, in plain. Nothing in it is expanded or run.
_cline_plain() {
    plain=$1
    case $plain in
        \'*)
            plain=${plain#\'}
            plain=${plain%\'}
            return
            ;;
        \"*)
            plain=${plain#\"}
            plain=${plain%\"}
            ;;
    esac
    plain=${plain//\\/}
}

# Offers the choices that begin with what was typed, $2, behind what stands before it in the same word, $1.
_cline_reply() {
    local before=$1 quote='' choice text is_described=''
    _cline_plain "$2"
    [[ $2 == [\'\"]* ]] && quote=${2:0:1}
    if [[ -n $paths ]]; then
        _cline_reply_paths "$2"
        return
    fi
    ((${#asks[@]})) && _cline_ask
    for choice in ${choices[@]+"${choices[@]}"}; do
        text=${choice#*$'\t'}
        choice=${choice%%$'\t'*}
        [[ $choice == "$plain"* ]] || continue
        [[ $text != "$choice" ]] && is_described=1 || text=''
        _cline_quote "$choice"
        [[ -n $choice ]] && COMPREPLY[${#COMPREPLY[@]}]="$choice"$'\t'"$text"
    done
    [[ -z $quote ]] && _cline_cut_breaks "$before$2"
    _cline_describe
}

# The choice $1 as it must be typed after the quote that is open, or without one; empty where it cannot be.
_cline_quote() {
    choice=$1
    case $quote in
        \') [[ $choice == *\'* ]] && choice='' ;;
        \")
            [[ $choice == *!* ]] && choice='' && return
            choice=${choice//\\/\\\\}
            choice=${choice//\"/\\\"}
            choice=${choice//\$/\\\$}
            choice=${choice//\`/\\\`}
            ;;
        *) printf -v choice '%s%q' "$before" "$choice" ;;
    esac
}

# Readline replaces only what stands after the last of COMP_WORDBREAKS, an @ included: takes what it leaves from the
# replies.
_cline_cut_breaks() {
    local mark kept='' part position
    for mark in '=' ':' '@'; do
        [[ ${COMP_WORDBREAKS-} == *"$mark"* && $1 == *"$mark"* ]] || continue
        part=${1%"${1##*"$mark"}"}
        [[ $mark == @ ]] && part=${part%@}
        ((${#part} > ${#kept})) && kept=$part
    done
    for ((position = 0; position < ${#COMPREPLY[@]}; position++)); do
        COMPREPLY[position]=${COMPREPLY[position]#"$kept"}
    done
}

# Shows what a choice is beside it, in a list of several that readline only shows; else the choices alone.
_cline_describe() {
    local position choice text width=${COLUMNS:-80}
    for ((position = 0; position < ${#COMPREPLY[@]}; position++)); do
        choice=${COMPREPLY[position]%%$'\t'*}
        text=${COMPREPLY[position]#*$'\t'}
        if [[ -n $text && ${#COMPREPLY[@]} -gt 1 && ${COMP_TYPE-} != 37 && ${COMP_TYPE-} != 42 ]]; then
            text="$choice  ($text)"
            ((${#choice} + 8 < width)) && text=${text:0:width-2}
            COMPREPLY[position]=$text
        else
            COMPREPLY[position]=$choice
        fi
    done
    [[ -n $is_described ]] && compopt -o nosort 2>/dev/null
}

# Leaves names of files or folders to readline. Where compopt is missing (bash 3.2) the compspec does so for all.
_cline_reply_paths() {
    if [[ $paths == folders ]]; then
        compopt -o dirnames 2>/dev/null
    else
        compopt -o default 2>/dev/null
    fi
}

_cline_reply_flags() {
    local flag
    for flag in ${flags[@]+"${flags[@]}"}; do
        [[ $flag == "$1"* && $gone != *" $flag "* ]] && COMPREPLY[${#COMPREPLY[@]}]=$flag
    done
    ((${#COMPREPLY[@]})) && return
    for flag in ${others[@]+"${others[@]}"}; do # other spellings, for whoever begins one
        [[ $flag == "$1"* && $1 == --?* ]] && COMPREPLY[${#COMPREPLY[@]}]=$flag
    done
}

# Adds what only the command itself can tell, such as the sessions there are.
_cline_ask() {
    local line
    ((${#_cline_command[@]})) || return
    while IFS= read -r line; do
        [[ -n $line ]] && choices[${#choices[@]}]=$line
    done <<<"$("${_cline_command[@]}" completion words ${where[@]+"${where[@]}"} "${asks[@]}" -- "$plain" 2>/dev/null </dev/null)"
}

if [[ $(type -t compopt) == builtin ]]; then
    complete -F _cline cline cline-cli
else
    complete -o default -F _cline cline cline-cli
fi
