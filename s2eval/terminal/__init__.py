"""What the commands of s2eval and s2train share: the application, the options of every command, output and progress."""

from s2eval.terminal.app import add_command, new_app, new_group, run_app
from s2eval.terminal.output import echo_json, note, resumable, resume_command, write_or_print

__all__ = [
    "add_command",
    "echo_json",
    "new_app",
    "new_group",
    "note",
    "resumable",
    "resume_command",
    "run_app",
    "write_or_print",
]
