"""Small models that tests share: closed forms as torch modules, and networks with awkward habits."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Formula(nn.Module):
    """A network that is exactly a formula of the input's columns, (b, p) -> (b,)."""

    def __init__(self, formula: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(x)


def linear(weights: list[float], bias: float = 0.0) -> nn.Linear:
    """f = w.x + b in float64."""
    made = nn.Linear(len(weights), 1).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor([weights]))
        made.bias.fill_(bias)
    return made


def mlp(features: int = 4, classes: int = 3, seed: int = 0) -> nn.Sequential:
    """A random network with tanh in float32."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, classes))


def cnn(classes: int = 3, seed: int = 0) -> nn.Sequential:
    """Two convolutions with in-place activations, batch norm and dropout; (b, 2, 8, 8) -> (b, classes)."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    )


class Residual(nn.Module):
    """Functional and reused activations around a skip connection, 1-, 2- or 3-D."""

    def __init__(self, rank: int = 2, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
        self.first, self.second = conv(1, 3, 3, padding=1), conv(3, 3, 3, padding=1)
        self.relu, self.head = nn.ReLU(), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.first(x))
        a = self.relu(self.second(a) + a)
        return self.head(F.relu(a).flatten(2).mean(2))


class Patches(nn.Module):
    """A small vision transformer, (b, 2, 8, 8) -> (b, 3): 4 patches, a class token if asked for, else mean pooling."""

    def __init__(self, class_token: bool = False, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.patch = nn.Conv2d(2, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8)) if class_token else None
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            t = torch.cat([self.token.expand(len(t), -1, -1), t], dim=1)
        t = self.norm(self.block(t))
        return self.head(t[:, 0] if self.token is not None else t.mean(1))
