"""Networks as estimators of scikit-learn; they need the extra ``sklearn``."""

try:
    import sklearn.utils.validation
except ImportError:
    raise ImportError(
        "the estimators need scikit-learn 1.6 or later: pip install 'salamandre[sklearn]'"
    ) from None

from salamandre.estimators.autoencoder import SalamandreAutoencoder as SalamandreAutoencoder
from salamandre.estimators.classifier import SalamandreClassifier as SalamandreClassifier
from salamandre.estimators.regressor import SalamandreRegressor as SalamandreRegressor
