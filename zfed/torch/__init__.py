"""PyTorch models in zfed."""

from zfed.torch.classifier import TorchClassifier
from zfed.torch.classifier_settings import ClassifierSettings
from zfed.torch.examples import BatchDataset
from zfed.torch.state_dict import buffer_from_module, from_state_dict, load_into_module, to_state_dict
from zfed.torch.torch_task import TorchTask

__all__ = [
    "BatchDataset",
    "ClassifierSettings",
    "TorchClassifier",
    "TorchTask",
    "buffer_from_module",
    "from_state_dict",
    "load_into_module",
    "to_state_dict",
]
