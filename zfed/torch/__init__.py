"""PyTorch models in zfed."""

from zfed.torch.state_dict import buffer_from_module, from_state_dict, load_into_module, to_state_dict

__all__ = ["buffer_from_module", "from_state_dict", "load_into_module", "to_state_dict"]
