"""What can be broken in a folder with a recipe, models and data, and what is to be said of it."""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from tests.federation.external.conftest import Recipe, edit
from tests.federation.external.samples import CLASSES, SIZE

Break = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One thing that is broken.

    Attributes:
        name: Of the test.
        field: That the problem is told under.
        words: Of the problem, the file's name among them where one is broken.
        change: Breaks a folder.
    """

    name: str
    field: str
    words: tuple[str, ...]
    change: Break


def participant(number: int, **fields: Any) -> Break:
    """Other values of a participant's fields; None takes a field out."""

    def change(recipe: Recipe) -> None:
        participant = recipe["federation"]["participants"][number]
        for name, value in fields.items():
            participant[name] = value

    return lambda folder: edit(folder, change)


def federation(**fields: Any) -> Break:
    return lambda folder: edit(folder, lambda recipe: recipe["federation"].update(fields))


def without(*path: str | int) -> Break:
    def change(recipe: Any) -> None:
        *above, last = path
        for part in above:
            recipe = recipe[part]
        del recipe[last]

    return lambda folder: edit(folder, change)


def weights(change: Callable[[dict[str, Any]], object]) -> Break:
    """Another first checkpoint."""

    def broken(folder: Path) -> None:
        state = torch.load(folder / "cnn.pt", weights_only=True)
        change(state)
        torch.save(state, folder / "cnn.pt")

    return broken


def cut(name: str, keep: float = 0.6) -> Break:
    def broken(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * keep)])

    return broken


class Evil:
    """Its pickle would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pwned"),)


def malicious(folder: Path) -> None:
    (folder / "cnn.pt").write_bytes(pickle.dumps({"weight": Evil()}))


def archive(number: int = 1, save: Callable[..., Any] = np.savez, **arrays: Any) -> Break:
    """A participant's data from an archive."""

    def broken(folder: Path) -> None:
        rng = np.random.default_rng(0)
        contents = {
            "images": rng.integers(0, 255, size=(12, SIZE, SIZE, 3), dtype=np.uint8),
            "labels": np.arange(12) % 4,
            "classes": np.array(["bars", "checks", "dots", "waves"]),
        } | arrays
        save(folder / "own.npz", **{name: value for name, value in contents.items() if value is not None})
        participant(number, data={"kind": "npz", "path": "own.npz"})(folder)

    return broken


def all_of(*changes: Break) -> Break:
    return lambda folder: [change(folder) for change in changes]


def table(columns: dict[str, Any]) -> Break:
    def broken(folder: Path) -> None:
        pq.write_table(pa.table(columns), folder / "own.parquet")
        participant(1, data={"kind": "parquet", "path": "own.parquet"})(folder)

    return broken


def code(text: str, name: str, **fields: Any) -> Break:
    """A module beside the recipe; of another name in each case, since a module is imported once."""

    def broken(folder: Path) -> None:
        (folder / f"{name}.py").write_text(text)
        participant(1, **fields)(folder)

    return broken


def network(name: str, **options: Any) -> Break:
    return participant(1, architecture={"name": name, "options": options})


def emptied(where: str) -> Break:
    def broken(folder: Path) -> None:
        for file in (folder / where).iterdir():
            file.unlink()

    return broken


def move(what: str, where: str) -> Break:
    return lambda folder: shutil.copy(folder / "images" / what, folder / "images" / where)


def picture(where: str, size: tuple[int, int]) -> Break:
    return lambda folder: Image.new("RGB", size, "red").save(folder / "images" / where)


def text_file(where: str) -> Break:
    return lambda folder: (folder / where).write_text("not what its name says")


def indices(text: str) -> Break:
    return all_of(
        lambda folder: (folder / "mine.txt").write_text(text),
        participant(1, data={"kind": "folder", "path": "images/part1", "indices": "mine.txt"}),
    )


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


P0, P1 = "federation.participants.0", "federation.participants.1"
SHARED = {"kind": "shared", "data": {"kind": "folder", "path": "images/test"}}
SAME = ("are also", "judged on what it was trained on", "duplicates: drop")

CASES = (
    # Checkpoints.
    Case("no checkpoint", f"{P0}.checkpoint", ("cnn.pt", "No such file"), lambda f: (f / "cnn.pt").unlink()),
    Case(
        "checkpoint is a folder",
        f"{P0}.checkpoint",
        ("images", "is a folder"),
        participant(0, checkpoint="images"),
    ),
    Case("checkpoint cut off", f"{P0}.checkpoint", ("cnn.pt", "cut off or damaged"), cut("cnn.pt")),
    Case("safetensors cut off", f"{P1}.checkpoint", ("mlp.safetensors", "damaged"), cut("mlp.safetensors")),
    Case("empty checkpoint", f"{P0}.checkpoint", ("cnn.pt", "cut off"), cut("cnn.pt", 0)),
    Case("text as checkpoint", f"{P0}.checkpoint", ("cnn.pt", "damaged"), text_file("cnn.pt")),
    Case("malicious pickle", f"{P0}.checkpoint", ("cnn.pt", "without a state dict", "not run"), malicious),
    Case(
        "pickled model",
        f"{P0}.checkpoint",
        ("cnn.pt", "a whole model", "state_dict()"),
        lambda f: torch.save(nn.Linear(2, 2), f / "cnn.pt"),
    ),
    Case(
        "a list of tensors",
        f"{P0}.checkpoint",
        ("cnn.pt", "holds 1 array in order"),
        lambda f: torch.save([torch.zeros(2)], f / "cnn.pt"),
    ),
    Case(
        "wrong shape",
        f"{P0}.checkpoint",
        ("cnn.pt", "0.weight has the shape (5, 3, 3, 3)", "(6, 3, 3, 3)"),
        weights(lambda state: state.update({"0.weight": torch.zeros(5, 3, 3, 3)})),
    ),
    Case(
        "a weight too few",
        f"{P0}.checkpoint",
        ("cnn.pt", "lacks 1 weight", "1.bias"),
        weights(lambda state: state.pop("1.bias")),
    ),
    Case(
        "a weight too many",
        f"{P0}.checkpoint",
        ("cnn.pt", "does not, e.g. head"),
        weights(lambda state: state.update(head=torch.zeros(3))),
    ),
    Case(
        "NaN weights",
        f"{P0}.checkpoint",
        ("cnn.pt", "0.weight holds 162 values", "NaN"),
        weights(lambda state: state["0.weight"].fill_(float("nan"))),
    ),
    Case(
        "infinite variance",
        f"{P0}.checkpoint",
        ("1.running_var", "not finite"),
        weights(lambda state: state["1.running_var"].fill_(float("inf"))),
    ),
    Case(
        "overflowing weights",
        f"{P1}.checkpoint",
        ("answers", "not finite"),
        lambda f: safetensors.torch.save_file(
            {
                name: torch.full_like(value, 3e38)
                for name, value in safetensors.torch.load_file(f / "mlp.safetensors").items()
            },
            f / "mlp.safetensors",
        ),
    ),
    # Networks.
    Case(
        "unknown network",
        f"{P1}.architecture",
        ("no network is called 'resnet19'", "'resnet18'"),
        network("resnet19"),
    ),
    Case("unknown option", f"{P1}.architecture", ("depth", "unknown field"), network("mlp", depth=3)),
    Case(
        "unknown option of torchvision",
        f"{P1}.architecture",
        ("resnet18", "depth"),
        network("resnet18", depth=3),
    ),
    Case(
        "weights from the network",
        f"{P1}.architecture",
        ("weights", "no option"),
        network("resnet18", weights="DEFAULT"),
    ),
    Case(
        "stem of what is no ResNet",
        f"{P1}.architecture",
        ("stem", "ResNets only"),
        network("squeezenet1_0", stem="cifar"),
    ),
    Case(
        "network without a module",
        f"{P1}.architecture",
        ("nowhere:make", "cannot be imported"),
        network("nowhere:make"),
    ),
    Case(
        "network without a factory",
        f"{P1}.architecture",
        ("torch.nn:Nothing", "cannot be imported"),
        network("torch.nn:Nothing"),
    ),
    Case(
        "factory raises",
        f"{P1}.architecture",
        ("torch.nn:Linear", "raises TypeError"),
        network("torch.nn:Linear"),
    ),
    Case("factory makes no network", f"{P1}.architecture", ("makes a dict",), network("builtins:dict")),
    Case(
        "module that does not parse",
        f"{P1}.architecture",
        ("odd_syntax:make", "SyntaxError"),
        code("def make(:", "odd_syntax", architecture={"name": "odd_syntax:make"}),
    ),
    Case(
        "images do not fit the network",
        f"{P1}.architecture",
        ("forward pass", "3x16x16"),
        network("torch.nn:Linear", in_features=7, out_features=4),
    ),
    Case(
        "network in the program itself",
        f"{P1}.architecture",
        ("__main__:make", "workers cannot import", "beside the recipe"),
        network("__main__:make"),
    ),
    Case(
        "network that fails while it trains",
        f"{P1}.architecture",
        ("training step", "in training mode", "ValueError: give targets"),
        code(
            "from torch import nn\n"
            "class Net(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.add_module('1', nn.Linear(768, 8))\n"
            "        self.add_module('3', nn.Linear(8, 4))\n"
            "    def forward(self, x):\n"
            "        if self.training: raise ValueError('give targets')\n"
            "        one, three = self.children()\n"
            "        return three(one(x.flatten(1)).relu())\n",
            "networks",
            architecture={"name": "networks:Net"},
        ),
    ),
    Case("network answers no logits", f"{P1}.architecture", ("not logits",), network("torch.nn:ReLU")),
    Case(
        "too few outputs",
        f"{P1}.labels",
        ("output 3 does not exist: the network has 3",),
        all_of(network("squeezenet1_1", num_classes=3), participant(1, input={"size": 32})),
    ),
    # Labels, input, claims.
    Case(
        "label order swapped",
        f"{P0}.claimed_accuracy",
        ("50.0% of its own data right, not 100.0%", "another order", "participants.0.labels"),
        participant(0, labels=["checks", "bars", "dots", "waves"]),
    ),
    Case(
        "wrong claim", f"{P0}.claimed_accuracy", ("100.0%", "not 80.0%"), participant(0, claimed_accuracy=0.8)
    ),
    Case(
        "wrong normalisation",
        f"{P0}.claimed_accuracy",
        ("not 100.0%", "without mean and std"),
        participant(0, input={"mean": [0.9], "std": [0.01]}),
    ),
    Case(
        "unknown label",
        f"{P0}.labels",
        ("class stripes is missing",),
        participant(0, labels=["bars", "checks", "dots", "stripes"]),
    ),
    Case(
        "label of own data missing",
        f"{P0}.labels",
        ("class waves", "none of the network's outputs"),
        participant(0, labels={0: "bars", 1: "checks", 2: "dots"}),
    ),
    Case("label twice", f"{P0}.labels", ("'bars' twice",), participant(0, labels=["bars", "bars"])),
    Case(
        "output that does not exist",
        f"{P1}.labels",
        ("output 9 does not exist",),
        all_of(
            network("squeezenet1_1", num_classes=4),
            participant(1, labels={0: "bars", 1: "checks", 2: "dots", 9: "waves"}, input={"size": 32}),
        ),
    ),
    Case("output below zero", f"{P0}.labels", ("output -1",), participant(0, labels={-1: "bars"})),
    Case(
        "means for other channels",
        f"{P0}.input.mean",
        ("2 numbers for 3 channels",),
        participant(0, input={"mean": [0.1, 0.2], "std": [1]}),
    ),
    Case("deviation of zero", f"{P0}.input.std.0", ("greater than 0",), participant(0, input={"std": [0]})),
    Case(
        "missing class",
        f"{P0}.data",
        ("class waves", "federation.classes"),
        federation(classes=["bars", "checks", "dots"]),
    ),
    # Images.
    Case(
        "no data",
        f"{P1}.data",
        ("images/part9", "No such file"),
        participant(1, data={"kind": "folder", "path": "images/part9"}),
    ),
    Case(
        "folder without classes",
        f"{P1}.data",
        ("no subfolder",),
        participant(1, data={"kind": "folder", "path": "images/part1/bars"}),
    ),
    Case(
        "classes without images",
        f"{P1}.data",
        ("images/part1", "hold no image", "bars"),
        all_of(*(emptied(f"images/part1/{name}") for name in CLASSES)),
    ),
    Case("image cut off", f"{P1}.data", ("bars/002.png",), cut("images/part1/bars/002.png", 0.5)),
    Case("text as image", f"{P1}.data", ("bars/002.png", "no image"), text_file("images/part1/bars/002.png")),
    Case(
        "image of another size",
        f"{P1}.data",
        ("bars/002.png is 9x9".replace(" is", ": is"), "images.size"),
        picture("part1/bars/002.png", (9, 9)),
    ),
    Case(
        "image that is not square",
        f"{P1}.data",
        ("bars/000.png", "9x12", "images.size"),
        picture("part1/bars/000.png", (12, 9)),
    ),
    Case(
        "images of another size",
        f"{P1}.data",
        ("3x8x8", "those of participant 0 are 3x16x16"),
        archive(images=np.zeros((12, 8, 8, 3), dtype=np.uint8)),
    ),
    Case(
        "grey images among colours",
        f"{P1}.data",
        ("1x16x16", "channels"),
        archive(images=np.zeros((12, SIZE, SIZE), dtype=np.uint8)),
    ),
    Case(
        "torchvision's data are not there",
        f"{P1}.data",
        ("CIFAR10", "download: true"),
        participant(1, data={"kind": "torchvision", "dataset": "CIFAR10", "root": "data"}),
    ),
    # Archives and tables.
    Case(
        "archive cut off",
        f"{P1}.data",
        ("own.npz", "no NumPy archive"),
        all_of(archive(), cut("own.npz", 0.7)),
    ),
    Case("archive without labels", f"{P1}.data", ("own.npz", "labels: is missing"), archive(labels=None)),
    Case(
        "archive with objects",
        f"{P1}.data",
        ("own.npz", "labels", "could run code"),
        archive(labels=np.array([Evil()] * 12, dtype=object)),
    ),
    Case(
        "labels that are no numbers",
        f"{P1}.data",
        ("own.npz", "labels: holds float64"),
        archive(labels=np.linspace(0, 1, 12)),
    ),
    Case(
        "fewer labels than images",
        f"{P1}.data",
        ("own.npz", "11 labels for 12 images"),
        archive(labels=np.zeros(11, int)),
    ),
    Case(
        "labels beyond the classes",
        f"{P1}.data",
        ("own.npz", "labels run from 0 to 7", "4 classes"),
        archive(labels=np.arange(12) % 8),
    ),
    Case(
        "mean of three channels for grey",
        f"{P1}.input.mean",
        ("3 numbers for 1 channel", "say channels: 3"),
        participant(1, input={"channels": 1, "mean": [0.1, 0.2, 0.3]}),
    ),
    Case(
        "dots instead of a colon",
        f"{P1}.architecture",
        ("no network is called so", "your own is zoo.nets:Small"),
        network("zoo.nets.Small"),
    ),
    Case(
        "folders of Windows",
        f"{P0}.checkpoint",
        ("No such file", "separated by /"),
        participant(0, checkpoint="runs\\cnn.pt"),
    ),
    Case(
        "labels from one",
        f"{P1}.data",
        ("own.npz", "labels run from 1 to 4", "4 classes", "save labels - 1"),
        archive(labels=np.arange(12) % 4 + 1),
    ),
    Case(
        "examples last",
        f"{P1}.data",
        ("own.npz", "(16, 16, 12)", "examples come first", "np.moveaxis(images, -1, 0)"),
        archive(images=np.zeros((SIZE, SIZE, 12), np.uint8)),
    ),
    Case(
        "arrays under other names",
        f"{P1}.data",
        ("own.npz", "images: is missing; there is labels, classes, x", "say images:"),
        archive(images=None, x=np.zeros((12, SIZE, SIZE), np.uint8)),
    ),
    Case(
        "negative labels",
        f"{P1}.data",
        ("own.npz", "labels run from -1"),
        archive(labels=np.arange(12) % 3 - 1),
    ),
    Case(
        "NaN pixels",
        f"{P1}.data",
        ("own.npz", "image 0", "not finite"),
        archive(images=np.full((12, 3, SIZE, SIZE), np.nan, dtype=np.float32)),
    ),
    Case(
        "images that are none",
        f"{P1}.data",
        ("own.npz", "images: has the shape (12, 5)"),
        archive(images=np.zeros((12, 5), dtype=np.uint8)),
    ),
    Case(
        "one array",
        f"{P1}.data",
        ("own.npz", "one array, not an archive"),
        all_of(archive(), lambda f: (f / "own.npz").write_bytes(npy(np.zeros(3)))),
    ),
    Case(
        "no Parquet",
        f"{P1}.data",
        ("own.parquet", "no Parquet"),
        all_of(table({"label": [0], "image": [b""]}), text_file("own.parquet")),
    ),
    Case(
        "table without images",
        f"{P1}.data",
        ("own.parquet", "image: is missing; there is label"),
        table({"label": [0, 1]}),
    ),
    Case(
        "table with paths only",
        f"{P1}.data",
        ("own.parquet", "row 0", "not followed"),
        table({"label": [0], "image": [{"bytes": None, "path": "/etc/passwd"}]}),
    ),
    Case(
        "table with damaged images",
        f"{P1}.data",
        ("own.parquet", "image 0", "no image"),
        table({"label": [0], "image": [{"bytes": b"GIF89aXX", "path": None}]}),
    ),
    Case(
        "data set that raises",
        f"{P1}.data",
        ("odd_data:Odd", "example 1", "KeyError"),
        code(
            "class Odd:\n def __len__(self): return 3\n def __getitem__(self, n):\n  import numpy\n"
            "  return numpy.zeros((3, 16, 16), 'uint8'), {0: 0}[n]",
            "odd_data",
            data={"kind": "code", "factory": "odd_data:Odd"},
        ),
    ),
    Case(
        "data set without a length",
        f"{P1}.data",
        ("builtins:object", "length"),
        participant(1, data={"kind": "code", "factory": "builtins:object"}),
    ),
    Case(
        "indices beyond the end", f"{P1}.data", ("mine.txt", "example 24", "there are 24"), indices("0 1 24")
    ),
    Case("indices that are none", f"{P1}.data", ("mine.txt", "no list of numbers"), indices("0 one")),
    Case("indices twice", f"{P1}.data", ("mine.txt", "twice"), indices("0 1 1")),
    Case(
        "a part beyond the end",
        f"{P1}.data",
        ("start", "none of 24"),
        participant(1, data={"kind": "folder", "path": "images/part1", "start": 24}),
    ),
    Case(
        "one example",
        f"{P1}.data",
        ("one example", "two"),
        participant(1, data={"kind": "folder", "path": "images/part1", "stop": 1}),
    ),
    # Common splits.
    Case(
        "leak of private data",
        "federation.splits.test",
        ("1 of 13 images of test", "participant 1", *SAME),
        move("part1/dots/000.png", "test/dots/999.png"),
    ),
    Case(
        "leak between splits",
        "federation.splits.test",
        ("1 of 13 images of test", "in confirmation", *SAME),
        move("confirmation/dots/000.png", "test/dots/999.png"),
    ),
    Case(
        "split of other classes",
        "federation.splits.test",
        ("class stripes", "no participant's data has"),
        lambda f: (f / "images/test/waves").rename(f / "images/test/stripes"),
    ),
    *(
        Case(
            f"number of classes: {value}",
            f"{P1}.architecture",
            ("resnet18", "num_classes is a whole number"),
            participant(1, architecture={"name": "resnet18", "options": {"num_classes": value}}),
        )
        for value in ("ten", -3, [4], 2.5, True, 10**9)
    ),
    Case(
        "benchmark too small",
        "federation.splits",
        ("add up to 30", "only 12"),
        federation(splits=SHARED | {"validation": 10, "confirmation": 10, "test": 10}),
    ),
    Case(
        "nobody holds out",
        "federation",
        ("participants.0", "held_out"),
        federation(splits={"kind": "held_out"}),
    ),
    Case(
        "no such kind of splits",
        "federation.splits",
        ("'shared', 'separate' or 'held_out'",),
        federation(splits={"kind": "random"}),
    ),
    Case(
        "splits without a test",
        "federation.splits.test",
        ("is missing",),
        without("federation", "splits", "test"),
    ),
    Case(
        "split without a participant's classes",
        "federation.splits.validation",
        ("no example of any class of participant 1",),
        all_of(
            participant(1, data={"kind": "folder", "path": "images/part1", "stop": 6}),
            lambda f: shutil.rmtree(f / "images/validation/bars"),
        ),
    ),
    # The recipe itself.
    Case(
        "one participant",
        "federation.participants",
        ("at least 2",),
        without("federation", "participants", 1),
    ),
    Case(
        "unknown field", f"{P1}.chekpoint", ("unknown field", "checkpoint"), participant(1, chekpoint="a.pt")
    ),
    Case(
        "no checkpoint named",
        f"{P1}.checkpoint",
        ("is missing",),
        without("federation", "participants", 1, "checkpoint"),
    ),
    Case(
        "unknown kind of data",
        f"{P1}.data",
        ("'folder'", "'npz'"),
        participant(1, data={"kind": "hdf5", "path": "a"}),
    ),
    Case(
        "unknown field of data",
        f"{P1}.data.file",
        ("unknown field", "path"),
        participant(1, data={"kind": "npz", "path": "a", "file": "b"}),
    ),
    Case("zero byte in a path", f"{P1}.checkpoint", ("must be a path",), participant(1, checkpoint="a\x00b")),
    Case(
        "claim in percent",
        f"{P1}.claimed_accuracy",
        ("at most 1", "83"),
        participant(1, claimed_accuracy=83),
    ),
    Case(
        "data of a program's memory",
        f"{P1}.data",
        ("memory", "cannot be read again"),
        participant(1, data={"kind": "memory", "sha256": "0" * 64}),
    ),
)
