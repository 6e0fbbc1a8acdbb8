#compdef aiodebug
# SPDX-License-Identifier: MIT
#
# Completion for zsh: asks `aiodebug --complete`. Installed as PREFIX/share/zsh/site-functions/_aiodebug.

_aiodebug() {
    local -a answers plain
    local program=${(Q)words[1]/#\~\//$HOME/}
    answers=("${(@f)$($program --complete $((CURRENT - 1)) "${(@Q)words[2,-1]}" 2> /dev/null)}")
    case ${answers[1]} in
    (:files)
        if [[ $PREFIX == --*=* ]]; then
            compset -P '*='
        fi
        _files ;;
    (:program*)
        shift $((${answers[1]#:program })) words
        (( CURRENT -= ${answers[1]#:program } ))
        _normal ;;
    ('') ;;
    (*)
        plain=(${answers:#*=})
        (( $#plain )) && compadd -- $plain
        plain=(${(M)answers:#*=})
        (( $#plain )) && compadd -S '' -- $plain ;;
    esac
}

if [[ $funcstack[1] == _aiodebug ]]; then
    _aiodebug "$@"
else
    compdef _aiodebug aiodebug
fi
