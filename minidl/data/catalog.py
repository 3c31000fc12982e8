"""What is known about each dataset: its shape, classes, statistics, file names, and where its publisher keeps it.
A table and nothing else; `minidl.data.reading` turns it into arrays, `minidl.data.download` into files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minidl.data.files import DataError
from minidl.types import Shape


@dataclass(frozen=True)
class Remote:
    """One file of a publisher: address, bytes, SHA-256; of a tar archive also the (member, bytes) to take."""

    url: str
    size: int
    sha256: str
    members: tuple[tuple[str, int], ...] = ()

    @property
    def filename(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Entry:
    """One dataset; ``first_labels`` tells it from others with the same files and sizes."""

    name: str
    kind: str  # "idx" or "cifar"
    shape: Shape  # (H, W, C) of one image
    counts: Mapping[str, int]  # images per split
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of the training set, on the 0..1 scale
    std: tuple[float, ...]
    first_labels: Mapping[str, tuple[int, ...]]
    folders: tuple[str, ...] = ()  # official sub-folders of the root, which itself comes last
    remotes: tuple[Remote, ...] = ()
    embedded: tuple[tuple[str, str], ...] = ()  # (file, SHA-256) of a set that ships with the package


def entry(name: str) -> Entry:
    """Return the entry of a dataset, or raise `DataError` that lists the names there are."""
    if name not in CATALOG:
        raise DataError(f"there is no dataset {name!r}: choose one of {', '.join(CATALOG)}")
    return CATALOG[name]


IDX_PARTS = {"train": "train", "test": "t10k"}

CIFAR10_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")

FASHION_CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

FASHION_FIRST = {"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)}

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR100_NAMES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
    television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"
CIFAR_URL = "https://www.cs.toronto.edu/~kriz"


def _idx_remotes(base: str, *rows: tuple[int, str]) -> tuple[Remote, ...]:
    return tuple(Remote(f"{base}/{name}", size, digest) for name, (size, digest) in zip(IDX_FILES, rows, strict=True))


CATALOG = {
    item.name: item
    for item in (
        Entry(
            name="fashion-mnist-mini",
            kind="idx",
            shape=(28, 28, 1),
            counts={"train": 6_000, "test": 1_000},
            classes=FASHION_CLASSES,
            mean=(0.28691,),
            std=(0.35378,),
            first_labels=FASHION_FIRST,
            embedded=(
                ("t10k-images-idx3-ubyte.gz", "04516f9d284037ea6cce7310aafaed77e8f8c1547f1127ef4aa754c46f47f8f5"),
                ("t10k-labels-idx1-ubyte.gz", "540f63e62544edb8406d1292429a47e6cdb42e4fa2eaa233f072b34e1f6bc46c"),
                ("train-images-idx3-ubyte.gz", "74df153e1d736137c085533200d77928ad1330a766dbfab0bc33ffdf137c8b83"),
                ("train-labels-idx1-ubyte.gz", "2f79ac363aa5db62f0fa8e5c6d76afd2f96e347af63b899a85be6c3f255bc024"),
            ),
        ),
        Entry(
            name="fashion-mnist",
            kind="idx",
            shape=(28, 28, 1),
            counts={"train": 60_000, "test": 10_000},
            classes=FASHION_CLASSES,
            mean=(0.28604,),
            std=(0.35302,),
            first_labels=FASHION_FIRST,
            folders=("fashion-mnist", "FashionMNIST/raw"),
            remotes=_idx_remotes(
                FASHION_URL,
                (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ),
        Entry(
            name="mnist",
            kind="idx",
            shape=(28, 28, 1),
            counts={"train": 60_000, "test": 10_000},
            classes=tuple("0123456789"),
            mean=(0.13066,),
            std=(0.30811,),
            first_labels={"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)},
            folders=("mnist", "MNIST/raw"),
            remotes=_idx_remotes(
                MNIST_URL,
                (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ),
        Entry(
            name="cifar10",
            kind="cifar",
            shape=(32, 32, 3),
            counts={"train": 50_000, "test": 10_000},
            classes=CIFAR10_CLASSES,
            mean=(0.49140, 0.48216, 0.44653),
            std=(0.24703, 0.24349, 0.26159),
            first_labels={"train": (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), "test": (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)},
            folders=("cifar-10-batches-bin", "cifar-10-batches-py"),
            remotes=(
                Remote(
                    f"{CIFAR_URL}/cifar-10-binary.tar.gz",
                    170_052_171,
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    tuple((f"cifar-10-batches-bin/{stem}.bin", 30_730_000) for stem in CIFAR10_BATCHES),
                ),
            ),
        ),
        Entry(
            name="cifar100",
            kind="cifar",
            shape=(32, 32, 3),
            counts={"train": 50_000, "test": 10_000},
            classes=tuple(CIFAR100_NAMES.split()),
            mean=(0.50708, 0.48655, 0.44092),
            std=(0.26733, 0.25644, 0.27615),
            first_labels={
                "train": (19, 29, 0, 11, 1, 86, 90, 28, 23, 31),
                "test": (49, 33, 72, 51, 71, 92, 15, 14, 23, 0),
            },
            folders=("cifar-100-binary", "cifar-100-python"),
            remotes=(
                Remote(
                    f"{CIFAR_URL}/cifar-100-binary.tar.gz",
                    168_513_733,
                    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                    (("cifar-100-binary/train.bin", 153_700_000), ("cifar-100-binary/test.bin", 30_740_000)),
                ),
            ),
        ),
    )
}
