"""Looking inside trained classifiers: what they look at, what fools them, what they imagine."""

from salamandre.inspection.adversarial import deepfool, fgsm, pgd, robustness, targeted_ascent
from salamandre.inspection.attribution import (
    grad_cam,
    gradient,
    guided_backprop,
    integrated_gradients,
    largest,
    occlusion,
    saliency,
    smooth_grad,
)
from salamandre.inspection.drawing import draw_adversarial, draw_images, draw_maps, draw_sheet
from salamandre.inspection.extraction import features
from salamandre.inspection.layers import activations, filters, neuron_image
from salamandre.inspection.probes import LayerView, layer_names
from salamandre.inspection.report import Report
from salamandre.inspection.visualisation import dream, visualise_class
