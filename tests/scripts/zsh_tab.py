# SPDX-License-Identifier: MIT
"""usage: zsh_tab.py ROOT LINE. Types the line and a tab into a zsh on a terminal; prints the last word that it becomes."""

import os
import pty
import select
import sys
import time

ROOT, LINE = sys.argv[1:3]


def until(terminal, mark, seconds=60):
    output, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline and mark not in output:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                output += os.read(terminal, 4096)
            except OSError:
                break
    return output


def main():
    pid, terminal = pty.fork()
    if pid == 0:
        env = dict(os.environ, PATH=ROOT + "/scripts:" + os.environ["PATH"], TERM="dumb", PS1="$ ", HOME="/nonexistent")
        os.execvpe("zsh", ["zsh", "-f", "-i"], env)
    os.write(terminal, ("unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source %s/scripts/completion/"
                        "aiodebug.zsh; print -r -- SET''UP\n" % ROOT).encode())
    until(terminal, b"SETUP")
    # In front of the line, once it is completed, comes an echo: zsh tells what the line is.
    os.write(terminal, LINE.encode() + b"\t")
    time.sleep(1)
    os.write(terminal, b"\x01echo LI''NE \x05 ; print -r -- DO''NE\n")
    said = until(terminal, b"DONE").decode("utf-8", "replace")
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)
    lines = [line for line in said.splitlines() if line.startswith("LINE ")]
    print(lines[-1].split()[-1] if lines else "nothing in %r" % said)


main()
