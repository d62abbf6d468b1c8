"""Task `fashion-mnist`."""

from zfed.tasks.image_classifier import ImageClassifier


class FashionMnist(ImageClassifier):
    """Articles of clothing (Xiao et al., arXiv 1708.07747)."""

    dataset = "fashion-mnist"
    mean, deviation = 0.2860, 0.3530  # of the 60,000 training images
