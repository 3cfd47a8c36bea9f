"""`s2eval view DIR…`."""

from pathlib import Path
from typing import Annotated

import typer

from s2eval.cli.report import Folders, MixJudges, ReferenceOption, warn_of_broken

EXAMPLES = ("s2eval view runs/paper", "s2eval view runs/a runs/b --port 9000")


def view(
    folders: Folders,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: any free port.")] = 8000,
    reference: ReferenceOption = None,
    mix_judges: MixJudges = False,
    no_samples: Annotated[bool, typer.Option("--no-samples", help="Leave out all text of data and answers.")] = False,
) -> None:
    """Serve the report on 127.0.0.1; a reload shows what has changed in the folders."""
    import tempfile

    from s2eval.report import sources
    from s2eval.report.build import Report
    from s2eval.report.html import write_page
    from s2eval.report.html.server import Server

    def make(page: Path) -> None:
        read = sources.read_all(folders)
        warn_of_broken(read)
        published = reference is not None or any(source.references for source in read)
        report = Report(read, published=published, mix_judges=mix_judges)
        write_page(page, report.illustrated, [] if no_samples else report.scored)

    with tempfile.TemporaryDirectory(prefix="s2eval-view-") as temporary:
        server = Server(Path(temporary) / "report.html", folders, make, port)
        try:
            server.refresh()
            typer.echo(f"{server.url}  (Ctrl-C ends it)")
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("", err=True)
        finally:
            server.server_close()
