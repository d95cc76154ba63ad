"""Backward rules by torch function: guided backpropagation, DeepLIFT and layer-wise relevance are tables of rules.

A rule replaces the vector-Jacobian product of one call: it receives the cotangent of the call's output and returns those
of its inputs, in *gradient units* (relevance divided by activation), so that every linear function keeps its own gradient
and costs nothing. A `torch.overrides.TorchFunctionMode` meets the call whoever makes it: a module, a function, an operator,
in place or not, once or many times. Nothing hangs on modules, so reused and functional activations are no special case.
"""
