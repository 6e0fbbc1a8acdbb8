# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion for bash: asks `aiodebug --complete`. Sourced by hand, or found by bash-completion when installed as
# PREFIX/share/bash-completion/completions/aiodebug.

_aiodebug() {
    local current=${COMP_WORDS[COMP_CWORD]} answers=() program
    program=$(type -P -- "${COMP_WORDS[0]/#\~\//$HOME/}") || return
    mapfile -t answers < <("$program" --complete "$COMP_CWORD" "${COMP_WORDS[@]:1}" 2> /dev/null)
    case ${answers[0]-} in
    :files)
        compopt -o filenames 2> /dev/null
        [ "$current" != = ] || current=
        mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    :program*)
        # Of the program to run, bash knows more than we do.
        if declare -F _comp_command_offset > /dev/null; then
            _comp_command_offset "${answers[0]#:program }"
        elif declare -F _command_offset > /dev/null; then
            _command_offset "${answers[0]#:program }"
        else
            compopt -o filenames 2> /dev/null
            if [ "$COMP_CWORD" -eq "${answers[0]#:program }" ]; then
                mapfile -t COMPREPLY < <(compgen -c -- "$current"; compgen -f -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
            fi
        fi ;;
    *)
        COMPREPLY=("${answers[@]}")
        if [ ${#COMPREPLY[@]} -eq 1 ] && [[ ${COMPREPLY[0]} == *= ]]; then
            compopt -o nospace 2> /dev/null
        fi ;;
    esac
}

complete -F _aiodebug aiodebug
