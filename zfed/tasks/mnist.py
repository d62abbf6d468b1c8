"""Task `mnist`."""

from zfed.tasks.image_classifier import ImageClassifier


class Mnist(ImageClassifier):
    """Handwritten digits (LeCun et al. 1998)."""

    dataset = "mnist"
    mean, deviation = 0.1307, 0.3081  # of the 60,000 training images; PyTorch's MNIST example has the same
