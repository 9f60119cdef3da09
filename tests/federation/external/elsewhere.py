"""Trains three networks without autokd, on parts of an image folder: `python elsewhere.py IMAGES OUT`."""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torchvision import datasets, models, transforms


def own_cnn(width: int = 8) -> nn.Module:
    block = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(block, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * width, 4))


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, out = Path(sys.argv[1]), Path(sys.argv[2])
    look = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])])
    resnet, mobile = models.resnet18(num_classes=4), models.mobilenet_v3_small(num_classes=4)
    accuracies = {}
    for number, model in enumerate((resnet, mobile, own_cnn())):
        for layer in model.modules():  # So short a training leaves their statistics at the start otherwise.
            layer.momentum = 0.3
        parts = [datasets.ImageFolder(str(images / part), look) for part in (f"part{number}", "test")]
        x, test_x = (torch.stack([image for image, _ in part]) for part in parts)
        y, test_y = (torch.tensor(part.targets) for part in parts)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
        for _ in range(12):
            for chosen in torch.randperm(len(x)).split(16):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
                optimizer.step()
        with torch.inference_mode():
            model.eval()
            right = {"private": (x, y), "test": (test_x, test_y)}
            accuracies[number] = {k: int((model(a).argmax(1) == b).sum()) for k, (a, b) in right.items()}
        torch.save(model.state_dict(), out / f"model{number}.pt")
    (out / "accuracies.json").write_text(json.dumps(accuracies))
