"""Moving pictures on disk: GIF by Pillow, MP4 by imageio and ffmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dpsvi.engine.files import PathLike, whole_file

if TYPE_CHECKING:
    from dpsvi.rl.frames import Frame

__all__ = ["Writer", "writer_for"]

Writer: TypeAlias = "Callable[[Path, Iterable[Frame], float], None]"


def writer_for(path: PathLike) -> Writer:
    """What writes a film of this ending, whole or not at all.

    Returns
    -------
    callable
        Takes path, frames and frames per second.

    Raises
    ------
    ValueError
        If the ending is neither ``.gif`` nor ``.mp4``.
    FileNotFoundError
        If the folder does not exist.
    ImportError
        If MP4 is asked for and imageio-ffmpeg is missing.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{target.parent}'; make it first.")
    ending = target.suffix.lower()
    if ending == ".gif":
        return _write_gif
    if ending != ".mp4":
        raise ValueError(f"'{target}' ends in neither .gif nor .mp4; films are these.")
    if find_spec("imageio") is None or find_spec("imageio_ffmpeg") is None:
        raise ImportError(
            "MP4 films need imageio-ffmpeg, which is not installed; "
            'pip install "imageio[ffmpeg]", or record a .gif.'
        )
    return _write_mp4


def _write_gif(path: Path, frames: Iterable[Frame], fps: float) -> None:
    from PIL import Image

    # One palette per frame: Atari has few colours, and other pictures need theirs.
    def small() -> Iterator[Image.Image]:
        for frame in frames:
            yield Image.fromarray(frame).quantize(colors=128)

    pictures = small()
    first = next(pictures)
    with whole_file(path) as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=pictures,
            # The format counts in hundredths of a second.
            duration=max(20, 10 * round(100 / fps)),
            loop=0,
        )


def _write_mp4(path: Path, frames: Iterable[Frame], fps: float) -> None:
    import imageio.v2 as imageio

    with whole_file(path) as temporary:
        film: Any = imageio.get_writer(temporary, fps=fps, macro_block_size=2)
        with film:
            for frame in frames:
                film.append_data(frame)
