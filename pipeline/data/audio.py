"""Sound: a folder of .wav, .flac and .ogg files, or an ``.npz`` of int16 clips.

    audio:FOLDER    as ``folders`` describes it: FOLDER/CLASS/clip.wav, or metadata.csv
    audio:FILE.npz  audio int16 [all samples], the clips one after the other;
                    offsets [n + 1], clip i is audio[offsets[i]:offsets[i + 1]];
                    label or y [n], or the keys ``data.target`` names; sample_rate;
                    optionally classes or labels, and the keys ``data.group`` and ``data.id`` name;
                    or ready splits: audio_train, offsets_train, label_train, audio_test, …

Each clip is mixed to mono, resampled if the recipe sets a rate, and cut or padded with silence to
``data.audio.seconds``. It is stored as features (float32 [n, frames, bins]) or, for the front end
``wave``, as samples (int16 [n, samples, 1]). Only the part that is used is decoded.
"""

from pathlib import Path
from typing import Any

from ..progress import Progress
from ..recipe.data import Data
from . import folders, npz
from .audio_archive import from_archive
from .audio_features import Decoder, FirstClip, samples_to_decode
from .sound_files import load_soundfile, sound_of

SUFFIXES = frozenset({".wav", ".flac", ".ogg"})


def fingerprint(source: str) -> str:
    """The hash of a folder's names and contents, or of an archive.

    Raises:
        DataError: there is no such file or folder.
    """
    if Path(source).is_dir():
        return folders.fingerprint(Path(source), SUFFIXES)
    return npz.fingerprint(source)


def read(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """All clips, processed by the recipe's front end and memory-mapped below ``scratch``.

    Args:
        source: a folder, or an ``.npz`` file.
        scratch: folder for the memory maps.
        data: the recipe's section; ``data.audio`` is the front end.
        progress: advances with each block of clips.

    Returns:
        x float32 [n, frames, bins] or int16 [n, samples, 1], or x of ready splits; with y, group,
        id and labels if the data set has them, layout, front_end and notes.

    Raises:
        DataError: a clip, a label or a key of the recipe is unfit; names the file or clip.
        HostError: a .flac or .ogg file, and soundfile is not installed.
    """
    read_source = from_archive if Path(source).is_file() else _from_folder
    return read_source(Path(source), scratch, data, progress)


def outline(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """The arrays of ``read``, where the first clip stands for all; arguments as there."""
    read_source = from_archive if Path(source).is_file() else _from_folder
    return read_source(Path(source), scratch, data, progress, FirstClip)


def _from_folder(
    root: Path,
    scratch: Path,
    data: Data,
    progress: Progress,
    decoder_kind: type[Decoder] = Decoder,
) -> dict[str, Any]:
    items = folders.listing(root, SUFFIXES, data)
    if any(item.path.suffix.lower() != ".wav" for item in items):
        load_soundfile(str(root))
    needed = samples_to_decode(data.audio)
    rate = data.audio.sample_rate or sound_of(items[0].path, needed).rate
    decoder = decoder_kind(data.audio, rate, scratch, progress)
    x = decoder.write("x", len(items), lambda row: sound_of(items[row].path, needed))
    return folders.arrays(items, x, data) | decoder.summary()
