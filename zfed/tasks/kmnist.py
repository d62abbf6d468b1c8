"""Task `kmnist`."""

from zfed.tasks.image_classifier import ImageClassifier


class Kmnist(ImageClassifier):
    """Cursive Japanese characters (Clanuwat et al., arXiv 1812.01718)."""

    dataset = "kmnist"
    mean, deviation = 0.1918, 0.3483  # of the 60,000 training images
