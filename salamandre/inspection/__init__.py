"""Looking inside trained classifiers: what they look at, what fools them, what they imagine."""

from salamandre.inspection.adversarial import (
    deepfool as deepfool,
    fgsm as fgsm,
    pgd as pgd,
    robustness as robustness,
    targeted_ascent as targeted_ascent,
)
from salamandre.inspection.attribution import (
    grad_cam as grad_cam,
    gradient as gradient,
    guided_backprop as guided_backprop,
    integrated_gradients as integrated_gradients,
    largest as largest,
    occlusion as occlusion,
    saliency as saliency,
    smooth_grad as smooth_grad,
)
from salamandre.inspection.drawing import (
    draw_adversarial as draw_adversarial,
    draw_images as draw_images,
    draw_maps as draw_maps,
    draw_sheet as draw_sheet,
)
from salamandre.inspection.extraction import features as features
from salamandre.inspection.layers import (
    activations as activations,
    filters as filters,
    neuron_image as neuron_image,
)
from salamandre.inspection.probes import LayerView as LayerView, layer_names as layer_names
from salamandre.inspection.report import Report as Report
from salamandre.inspection.visualisation import dream as dream, visualise_class as visualise_class
