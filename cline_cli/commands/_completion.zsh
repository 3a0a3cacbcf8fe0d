#compdef cline cline-cli
# Completion of cline for zsh. `cline completion zsh` prints this file with its tables; it may be sourced, or lie in a
# folder of $fpath as _cline.

#@ tables

# Called at <TAB>. Options are completed by _arguments, what stands between them by its place.
_cline() {
    if [[ -n $_cline_file && ${_cline_command[1]-} -nt $_cline_file ]]; then
        # The command was upgraded since this file was written: for this shell, take what it says now.
        _cline_file=''
        local fresh _cline_is_renewed=1
        fresh=$("${(@)_cline_command}" completion zsh 2>/dev/null </dev/null)
        if [[ $fresh == *_cline_specs* ]]; then
            eval "$fresh"
            _cline "$@"
            return
        fi
    fi

    local verb='' place='' literal='' pending='' optional=''
    local long takes legal offer attached is_attached word
    local -a where
    local -i index at=0
    for ((index = 2; index < CURRENT; index++)); do
        word=${(Q)words[index]}
        if [[ -n $pending ]]; then
            pending=''
            _cline_where "$word"
        elif [[ -n $optional && $word == ${~legal} ]]; then
            optional=''
        elif [[ -n $literal || $word != -?* ]]; then
            optional=''
            if [[ -z $verb ]]; then
                _cline_verb "$word"
                place=$verb at=index
            else
                place+=" $word"
                [[ $verb == auth ]] && where+=("--provider=$word")
            fi
        elif [[ $word == -- ]]; then
            optional='' literal=1
            [[ -z $verb ]] && verb=run place=run
        else
            _cline_option "$word"
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

    local curcontext=$curcontext context state state_descr line ret=1
    local -A opt_args
    local -a specs others
    if [[ -n $verb && $verb != run ]]; then
        words=("$words[1]" "${(@)words[at + 1,-1]}")
        ((CURRENT -= at - 1))
    fi
    _cline_specs "${verb:-run}"
    specs+=('*: :->place')
    _arguments -s -S -C : "${(@)specs}" "${(@)others/#/!}" && ret=0
    if ((ret)) && [[ $PREFIX == --?* ]]; then # other spellings, for whoever begins one
        _arguments -s -S -C : "${(@)specs}" "${(@)others}" && ret=0
    fi
    [[ $state == place ]] && _cline_place "$place" && ret=0
    return ret
}

# Takes the value $1 of the option that was read last along for `cline completion words`, where it says where to look.
_cline_where() {
    case $long in
        --provider | --config | --data-dir | --cwd) where+=("$long=$1") ;;
    esac
}

# The option in the word $1, or the one of its short ones that takes a value; sets long, takes, legal, offer, and the
# value that is attached to it.
_cline_option() {
    attached='' is_attached=''
    if [[ $1 == --* ]]; then
        [[ $1 == *=* ]] && attached=${1#*=} is_attached=1
        _cline_flag "${verb:-run} ${1%%=*}"
        return
    fi
    local letters=${1#-}
    while [[ -n $letters ]]; do
        _cline_flag "${verb:-run} -${letters[1]}"
        letters=${letters[2,-1]}
        [[ -n $takes ]] && break
    done
    [[ -n $letters ]] && attached=${letters#=} is_attached=1
    return 0
}

# Offers what there is under the name $1.
_cline_offer() {
    local -a choices asks
    local paths='' line
    _cline_choices "$1"
    case $paths in
        files) _files; return ;;
        folders) _files -/; return ;;
    esac
    if (($#asks && $#_cline_command)); then
        for line in "${(@f)$("${(@)_cline_command}" completion words $where $asks -- "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
            [[ -n $line ]] || continue
            line=${line//\\/\\\\}
            choices+=("${${line%%$'\t'*}//:/\\:}${${(M)line%$'\t'*}/#$'\t'/:}")
        done
    fi
    (($#choices)) || return 1
    _describe -V -t "${1// /-}" "$1" choices
}

# Called once, before the first prompt, when ~/.zshrc is read to its end: a `compinit` in it forgets what was said
# before it, and where there was none it is done here. What somebody else said of a command in the meantime holds.
_cline_register() {
    emulate -L zsh
    precmd_functions=(${precmd_functions:#_cline_register})
    if ((!$+functions[compdef])); then
        autoload -Uz compinit && compinit -i 2>/dev/null || :
        ((${+functions[compdef]})) || return 0 # a zsh without its own functions
    fi
    local name
    for name in cline cline-cli; do
        [[ ${_comps[$name]:-_cline} != _cline ]] || compdef _cline $name
    done
}

if [[ -n ${_cline_is_renewed-} ]]; then
    :
elif [[ ${funcstack[1]-} == _cline ]]; then
    _cline "$@"
else
    if ((${+functions[compdef]})); then
        compdef _cline cline cline-cli
    fi
    typeset -ga precmd_functions
    precmd_functions=(${precmd_functions[@]:#_cline_register} _cline_register)
fi
