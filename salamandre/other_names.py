"""What other libraries call our parts: the names of Keras, PyTorch and scikit-learn.

Some of them are names of ours too (``loss="mse"``); :mod:`salamandre.told` tells of the others.
Plain names are those that :func:`salamandre.told.plain` returns.
"""

from __future__ import annotations

#: Our classes by plain names of others, for each base of components.
ALIASES: dict[str, dict[str, str]] = {
    "Activation": {"linear": "Identity", "none": "Identity", "logistic": "Sigmoid"},
    "Loss": {
        **dict.fromkeys(("mse", "l2", "mseloss", "squarederror"), "MeanSquaredError"),
        **dict.fromkeys(("mae", "l1", "l1loss", "absoluteerror"), "MeanAbsoluteError"),
        **dict.fromkeys(("crossentropyloss", "categoricalcrossentropy"), "CrossEntropy"),
        **dict.fromkeys(("sparsecategoricalcrossentropy", "logloss", "nllloss"), "CrossEntropy"),
        **dict.fromkeys(("bce", "bceloss"), "BinaryCrossEntropy"),
    },
    "Optimizer": {"gradientdescent": "SGD"},
    "Initializer": {
        **dict.fromkeys(("henormal", "heuniform", "kaimingnormal"), "He"),
        **dict.fromkeys(("glorotuniform", "glorotnormal", "xavieruniform"), "Xavier"),
    },
}

_CONVOLUTION = "ConvolutionalLayer(channels, kernel, stride=1, padding=0)"
_TRANSPOSED = "TransposedConvolutionalLayer(channels, kernel, stride=1, padding=0)"
_ENGINE = "Engine(network, (x, y), batch_size=64).run(epochs=10), or network.fit(x, y)"
_NETWORK = "Network(layers, input_shape, loss, optimizer)"

#: What to write instead of other libraries' classes and functions, by their plain names.
INSTEAD = {
    **dict.fromkeys(("dense", "linear", "fullyconnected"), "NeuronLayer(outputs, activation)"),
    **dict.fromkeys(("conv1d", "conv2d", "convolution2d", "conv"), _CONVOLUTION),
    **dict.fromkeys(("convtranspose2d", "conv2dtranspose"), _TRANSPOSED),
    **dict.fromkeys(
        ("gan", "dcgan", "wgan"), "GanGame(generator, discriminator, images, latent=Gaussian(100))"
    ),
    **dict.fromkeys(("maxpooling2d", "maxpool2d"), "MaxPool(kernel)"),
    **dict.fromkeys(("averagepooling2d", "avgpool2d"), "AveragePool(kernel)"),
    **dict.fromkeys(("globalaveragepooling2d", "globalavgpool2d"), "GlobalAveragePool()"),
    "adaptiveavgpool2d": "AdaptiveAveragePool(size)",
    **dict.fromkeys(("upsampling2d", "upsamplingnearest2d"), "Upsample(factor)"),
    **dict.fromkeys(("batchnormalization", "batchnorm1d", "batchnorm2d"), "BatchNorm()"),
    "layernormalization": "LayerNorm()",
    **dict.fromkeys(("instancenorm2d", "groupnorm", "groupnormalization"), "InstanceNorm()"),
    **dict.fromkeys(("dropout2d", "spatialdropout2d"), "Dropout(rate, channels=True)"),
    **dict.fromkeys(("unflatten", "view"), "Reshape(shape)"),
    **dict.fromkeys(("concatenate", "concat", "modulelist"), "Parallel(branches)"),
    **dict.fromkeys(("add", "residual", "resnetblock"), "Skip(layers, 'add')"),
    **dict.fromkeys(("input", "inputlayer"), "the input_shape of a Network"),
    **dict.fromkeys(("model", "module", "nn", "keras", "mlp"), _NETWORK),
    **dict.fromkeys(("trainer", "learner", "fit", "train", "compile"), _ENGINE),
    **dict.fromkeys(("dataloader", "tensordataset", "dataset"), f"{_ENGINE}: it makes the batches"),
    "bcewithlogitsloss": "BinaryCrossEntropy(from_logits=True)",
    "modelcheckpoint": "Checkpoint(path, best='accuracy')",
    **dict.fromkeys(
        ("lambdacallback", "learningratescheduler"), "callbacks=[a function of the run]"
    ),
    **dict.fromkeys(("reducelronplateau", "steplr"), "Adam(schedules.StepDecay(...))"),
    **dict.fromkeys(("cosineannealinglr", "cosinedecay"), "Adam(schedules.CosineDecay(...))"),
    **dict.fromkeys(("onecyclelr", "onecycle"), "Adam(schedules.Triangle(...))"),
    "csvlogger": "Curves(folder), or history.to_csv()",
    **dict.fromkeys(("tensor", "array"), "an array of NumPy or CuPy"),
    **dict.fromkeys(("loadmodel", "load"), "Network.load(path), or data.load(name)"),
    **dict.fromkeys(("mlpclassifier", "classifier"), "estimators.SalamandreClassifier()"),
    **dict.fromkeys(("mlpregressor", "regressor"), "estimators.SalamandreRegressor()"),
    "autoencoder": "estimators.SalamandreAutoencoder(), or a Network, see docs/autoencoders.md",
    **{
        f"salamandre{kind.lower()}": f"estimators.Salamandre{kind}()"
        for kind in ("Classifier", "Regressor", "Autoencoder")
    },
    **dict.fromkeys(("tocategorical", "onehot", "utils"), "labels as whole numbers, as they are"),
    "callbacks": "Checkpoint(...), EarlyStopping(...) and others, of this package itself",
    **dict.fromkeys(("standardscaler", "normalization"), "BatchNorm(), or scikit-learn's scaler"),
    **dict.fromkeys(("totensor", "normalize", "rescaling"), "nothing: images of bytes are scaled"),
    **dict.fromkeys(("compose", "transforms"), "data.Chain(data.Flip(), data.Shift(2))"),
    **dict.fromkeys(
        ("imagedatagenerator", "randomhorizontalflip", "randomflip"),
        "Engine(..., transform=data.Flip())",
    ),
    **dict.fromkeys(
        ("imagefolder", "imagedatasetfromdirectory", "imagedataloaders", "datablock"),
        "data.open(folder), with a folder of pictures for each class",
    ),
    **dict.fromkeys(
        ("applications", "pretrained", "resnet50"), "one of models, such as models.resnet18()"
    ),
    **dict.fromkeys(
        ("metrics", "accuracy", "accuracyscore"),
        "metrics=['accuracy'] of fit, or evaluation.accuracy(y, t)",
    ),
    **dict.fromkeys(
        ("confusionmatrix", "classificationreport"), "evaluation.confusion(labels, outputs, count)"
    ),
    **dict.fromkeys(
        ("crossvalscore", "gridsearchcv", "kfold"),
        "scikit-learn's, with estimators.SalamandreClassifier()",
    ),
    **dict.fromkeys(("plothistory", "plotloss", "plot"), "history.plot(), or one of plots"),
    **dict.fromkeys(("imshow", "makegrid"), "plots.plot_images(images)"),
    "summary": "network.summary()",
    **dict.fromkeys(("regularizers", "l1", "l2"), "Adam(weight_decay=...)"),
    **dict.fromkeys(("gradienttape", "backward"), "network.backprop(dy), or network.learn(x, y)"),
    **dict.fromkeys(("parameter", "variable"), "declare(name, shape, initializer) of a Layer"),
    **dict.fromkeys(
        ("zeros", "ones", "randn", "rand", "arange"), "an array, made by NumPy or CuPy"
    ),
    **dict.fromkeys(("jit", "vmap", "pmap"), "nothing: learn and predict take whole batches"),
    **dict.fromkeys(("setnumthreads", "numthreads"), "Network(..., threads=2)"),
    "save": "network.save(path)",
    **dict.fromkeys(("nograd", "inferencemode"), "network.predict(x), which keeps no gradients"),
    **dict.fromkeys(("optim", "functional"), "one of Adam(), SGD(), ReLU(), CrossEntropy(), ..."),
    **dict.fromkeys(("traintestsplit", "randomsplit"), "data.split((x, y), 0.2)"),
    **dict.fromkeys(("mnist", "loaddata", "datasets"), "data.load('mnist')"),
    **dict.fromkeys(("device", "cuda", "gpu"), "Network(..., backend='cupy')"),
    **dict.fromkeys(
        ("manualseed", "setrandomseed", "setseed", "seedeverything", "random", "seed", "prngkey"),
        "Network(..., seed=0), Engine(..., seed=0)",
    ),
}

#: What the library does not have, by plain names.
ABSENT = {
    *("lstm", "gru", "rnn", "simplernn", "attention", "multiheadattention", "transformer"),
    *("gelu", "silu", "swish", "mish", "conv3d", "autograd", "grad", "valueandgrad", "huberloss"),
    *("huber", "smoothl1loss", "kldivergence", "kldivloss", "ctcloss", "tripletmarginloss"),
}

#: Our names of arguments that others call otherwise; the first that a class has is meant.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("units", "out_features", "neurons"), ("outputs",)),
    **dict.fromkeys(("filters", "out_channels", "maps"), ("channels",)),
    **dict.fromkeys(("kernel_size", "pool_size"), ("kernel",)),
    "strides": ("stride",),
    **dict.fromkeys(("p", "drop_prob"), ("rate",)),
    **dict.fromkeys(("scale_factor", "size"), ("factor",)),
    **dict.fromkeys(("negative_slope", "alpha"), ("slope",)),
    "slope": ("mu",),
    "epsilon": ("eps",),
    **dict.fromkeys(("lr", "learning_rate_init"), ("learning_rate",)),
    **dict.fromkeys(("momentum", "nesterov"), ("beta",)),
    **dict.fromkeys(("betas", "beta_1"), ("beta1",)),
    "beta_2": ("beta2",),
    **dict.fromkeys(("decay", "l2", "kernel_regularizer"), ("weight_decay",)),
    "weight_decay": ("decay",),
    **dict.fromkeys(("clipnorm", "max_norm"), ("clip_norm",)),
    "use_bias": ("bias",),
    **dict.fromkeys(("kernel_initializer", "weights_initializer"), ("initializer",)),
    "target_shape": ("shape",),
    **dict.fromkeys(("input_dim", "input_size"), ("input_shape",)),
    **dict.fromkeys(("hidden_layer_sizes", "hidden_sizes"), ("layers",)),
    **dict.fromkeys(("epoch", "nb_epoch", "n_epochs", "num_epochs", "max_iter"), ("epochs",)),
    **dict.fromkeys(("bs", "batchsize"), ("batch_size",)),
    "n_iter_no_change": ("patience",),
    "step_size": ("every",),
    **dict.fromkeys(("gamma", "decay_rate"), ("factor",)),
    **dict.fromkeys(("decay_steps", "T_max", "total_steps"), ("steps",)),
    "eta_min": ("final",),
    "warmup_steps": ("warmup",),
    **dict.fromkeys(("max_lr", "initial_learning_rate"), ("rate",)),
    **dict.fromkeys(("log_dir", "logdir"), ("folder",)),
    **dict.fromkeys(("criterion", "loss_fn"), ("loss",)),
    **dict.fromkeys(("optim", "solver"), ("optimizer",)),
    "loss": ("objective",),
    "device": ("backend",),
    **dict.fromkeys(("random_state", "random_seed"), ("seed",)),
    "monitor": ("metric", "best"),
    **dict.fromkeys(("restore_best_weights", "save_best_only"), ("best",)),
    "filepath": ("path",),
    **dict.fromkeys(("validation_data", "valid"), ("test",)),
    **dict.fromkeys(
        ("n_critic", "critic_iters", "d_steps"), ("critic_steps", "discriminator_steps")
    ),
    **dict.fromkeys(("nz", "latent_dim", "z_dim", "noise"), ("latent",)),
    **dict.fromkeys(("gp", "gradient_penalty", "lambda_gp"), ("lipschitz",)),
    "class_weight": ("class_weights",),
    "sample_weight": ("sample_weights",),
}

#: What to do instead of giving an argument that a class does not have under any name.
WITHOUT = {
    **dict.fromkeys(
        ("input_shape", "input_dim", "in_features", "in_channels", "num_features"),
        "the shape of its inputs follows from the input_shape of the Network",
    ),
    **dict.fromkeys(("momentum", "nesterov"), "use Momentum(rate, beta) or Nesterov(rate, beta)"),
    "metrics": "give metrics to the Engine, or to network.fit",
    "data_format": "images are (N, channels, height, width)",
    **dict.fromkeys(
        ("weight_decay", "kernel_regularizer", "alpha"), "give weight_decay to the optimizer"
    ),
    "name": "the Network names its layers, names=[...]",
    "seed": "the Network has one for all its layers",
    "reduction": "a loss is the mean over the batch",
    **dict.fromkeys(("dim", "axis"), "it goes along axis 1, the channels or features"),
    "weight": "give class_weights to the Engine, or to network.fit",
    "min_delta": "any better value counts",
    **dict.fromkeys(("workers", "num_workers", "pin_memory"), "batches need no workers"),
    "drop_last": "a last batch smaller than the others is left out",
    "epochs": "give them to run(epochs)",
    **dict.fromkeys(
        ("steps_per_epoch", "initial_epoch"), "an epoch is each example once, and fit goes on"
    ),
    "shuffle": "each epoch has an order of its own, which the seed decides",
    **dict.fromkeys(
        ("optimizer", "loss", "lr", "learning_rate"), "give loss and optimizer to the Network"
    ),
    "params": "a network gives its parameters to its optimizer itself",
}


#: What a network that learns is made with.
NEEDS = (
    "a loss and an optimizer, such as Network(layers, input_shape, loss='mse', optimizer='adam')"
)

#: What to do instead of using methods that a network has not.
NETWORK = {
    **dict.fromkeys(
        ("train", "eval", "training"),
        "learn(x, target) trains, predict(x) does not, so there is no mode to set; to train on a "
        "data set there is fit(x, y)",
    ),
    **dict.fromkeys(("forward", "call"), "it is compute(x), or predict(x) without training"),
    "backward": "it is backprop(dy), after compute(x); learn(x, target) does both",
    "zero_grad": "backprop(dy) writes the gradients anew, there is nothing to set to zero",
    "compile": "give loss and optimizer when you make it, Network(layers, shape, loss, optimizer), "
    "or set them, network.loss = 'mse' and network.optimizer = 'adam'",
    "add": "give all layers in a list when you make it, Network([...], input_shape)",
    **dict.fromkeys(("predict_proba", "predict_classes"), "it is predict(x)"),
    **dict.fromkeys(("score", "test"), "it is evaluate(x, y)"),
    **dict.fromkeys(("train_on_batch", "partial_fit", "training_step"), "it is learn(x, target)"),
    **dict.fromkeys(("state_dict", "get_weights", "weights"), "it is named_parameters()"),
    **dict.fromkeys(("count_params", "num_parameters"), "it is parameter_count()"),
    **dict.fromkeys(("get_layer", "modules", "pop"), "its layers are in network.layers"),
    **dict.fromkeys(("clone", "copy"), "it is copy.deepcopy(network)"),
    **dict.fromkeys(("half", "double", "float"), "give dtype='float64' to Network(...)"),
    **dict.fromkeys(("transform", "fit_transform"), "it is predict(x), or an estimators' class"),
    **dict.fromkeys(("load_state_dict", "set_weights"), "it is sal.from_pytorch(network, weights)"),
    "save_weights": "save(path) writes layers and weights",
    "load_weights": "Network.load(path) makes the network that save(path) wrote",
    **dict.fromkeys(
        ("to", "cuda", "cpu", "device"), "give backend='cupy' to Network(...) or Network.load"
    ),
    "history": "fit(x, y) and an Engine's run(epochs) return the history",
    **dict.fromkeys(
        ("trainable_variables", "trainable_weights", "variables"), "it is named_parameters()"
    ),
    **dict.fromkeys(("trainable_params", "n_params"), "it is parameter_count()"),
    **dict.fromkeys(("requires_grad_", "requires_grad"), "freeze(name) lets a part learn no more"),
    **dict.fromkeys(("append", "insert", "extend"), "give all layers when you make it"),
    **dict.fromkeys(("to_json", "get_config"), "config() has its arguments, save(path) writes it"),
    **dict.fromkeys(("to_onnx", "export"), "it is sal.export_onnx(network, path)"),
    **dict.fromkeys(("train_step", "fit_one_cycle"), "it is learn(x, target), or fit(x, y)"),
    "accuracy": "it is evaluate(x, y)['accuracy']",
    **dict.fromkeys(("input", "inputs"), "it is input_shape"),
    **dict.fromkeys(("output", "outputs"), "it is output_shape; compute(x, stop=n) ends early"),
}

#: What to do instead of setting attributes that an optimizer of this package has not.
OPTIMIZER = {
    "lr": "it is learning_rate",
}

#: Likewise of a Sequential, which is a part of a network.
SEQUENTIAL = dict.fromkeys(
    ("fit", "compile", "predict", "evaluate", "summary", "add", "learn", "save"),
    "it is a part of a network: make one, Network([...], input_shape, loss, optimizer)",
)
