"""Writes values and gradients of ops, computed by PyTorch in f64.

See README.md. One function call per case: a graph text is made from the ops
and shapes, the same computation is done in PyTorch, and both are printed.
"""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(20240229)


def numbers(*shape, low=-128, high=128):
    """Multiples of 1/64, never 0."""
    x = torch.randint(low, high, shape, generator=generator)
    return (x + (x == 0)).to(torch.float64) / 64


def positive(*shape):
    return numbers(*shape, low=16, high=160)


def distinct(*shape):
    n = 1
    for size in shape:
        n *= size
    order = torch.randperm(n, generator=generator)
    return ((order - n // 2).to(torch.float64) / 8 + 1 / 64).reshape(shape)


def index(size, *shape):
    return torch.randint(-size, size, shape, generator=generator)


def dims(x):
    return "[" + ", ".join(str(size) for size in x.shape) + "]"


def type_of(x):
    if x.dtype == torch.float64:
        return "F" + dims(x)
    return {torch.int64: "i64", torch.bool: "bool"}[x.dtype] + dims(x)


def text(x):
    values = x.detach().flatten().tolist()
    return " ".join(
        str(int(v)) if v == int(v) and abs(v) < 1e6 else repr(v)
        for v in values)


def case(name, inputs, compute, gradient=True):
    """`compute(graph, tensors)` adds nodes and returns {output: tensor}."""
    for x in inputs.values():
        if gradient and x.dtype == torch.float64:
            x.requires_grad_(True)
    graph = Graph()
    values = {key: (f"%{key}", x) for key, x in inputs.items()}
    outputs = compute(graph, *values.values())
    ports = ", ".join(f"%{key}: {type_of(x)}" for key, x in inputs.items())
    print(f"== {name}" + ("" if gradient else " no gradient"))
    print(f"graph @main({ports}) {{")
    for line in graph.lines:
        print("  " + line)
    results = ", ".join(f'{label} "{key}"'
                        for key, (label, _) in outputs.items())
    print(f"  return {results}\n}}")
    for key, x in inputs.items():
        kind = "F" if x.dtype == torch.float64 else type_of(x).split("[")[0]
        print(f"input {key} {kind} {dims(x)} : {text(x)}")
    print_results(inputs, outputs, gradient)


def print_results(inputs, outputs, gradient):
    for key, (_, y) in outputs.items():
        print(f"output {key} : {text(y)}")
    if not gradient:
        return
    heads = [numbers(*y.shape) for _, y in outputs.values()]
    for key, head in zip(outputs, heads):
        print(f"head {key} : {text(head)}")
    floats = {k: x for k, x in inputs.items() if x.dtype == torch.float64}
    grads = torch.autograd.grad([y for _, y in outputs.values()],
                                list(floats.values()), heads,
                                allow_unused=True)
    for (key, x), g in zip(floats.items(), grads):
        g = torch.zeros_like(x) if g is None else g
        print(f"grad {key} : {text(g)}")


class Graph:
    """Lines of a graph text; values are (label, tensor) pairs."""

    def __init__(self):
        self.lines = []

    def add(self, op, operands, result, attrs=""):
        label = f"%{len(self.lines)}"
        names = ", ".join(label for label, _ in operands)
        body = f"{op} {names}".rstrip() + (f" {{{attrs}}}" if attrs else "")
        self.lines.append(f"{label} = {body} : {type_of(result)}")
        return label, result

    def constant(self, value):
        x = torch.tensor(float(value))
        return self.add("constant", [], x, f"value = {value}")


def single(name, op, inputs, function, attrs="", gradient=True):
    """A case of one op with one result."""
    def compute(graph, *values):
        result = function(*[x for _, x in values])
        return {"y": graph.add(op, values, result, attrs)}
    case(name, inputs, compute, gradient)


def unary():
    functions = {
        "neg": torch.neg, "abs": torch.abs, "square": torch.square,
        "exp": torch.exp, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "relu": torch.relu,
    }
    for op, function in functions.items():
        single(op, op, {"x": numbers(3, 7)}, function)
    single("sqrt", "sqrt", {"x": positive(3, 7)}, torch.sqrt)
    single("log", "log", {"x": positive(3, 7)}, torch.log)
    zeros = torch.tensor([0.0, -1.0, 2.0, 0.0])
    single("abs_at_zero", "abs", {"x": zeros.clone()}, torch.abs)
    single("relu_at_zero", "relu", {"x": zeros.clone()}, torch.relu)
    far = torch.tensor([-40.0, -20.0, -5.0, 5.0, 20.0, 40.0])
    for op in ("tanh", "sigmoid"):
        single(op + "_far", op, {"x": far.clone()}, functions[op])
    near = torch.tensor([2.0**-k for k in range(0, 30, 3)])
    single("tanh_near_zero", "tanh", {"x": near.clone()}, torch.tanh)
    single("log_near_one", "log", {"x": 1 + near[:8].clone()}, torch.log)


def binary():
    functions = {"add": torch.add, "sub": torch.sub, "mul": torch.mul,
                 "div": torch.div, "maximum": torch.maximum}
    shapes = {"": ((3, 4), (3, 4)), "_row": ((3, 4), (4,)),
              "_column": ((3, 1), (3, 4)), "_outer": ((3, 1), (1, 4)),
              "_scalar": ((), (3, 4))}
    for op, function in functions.items():
        for suffix, (a, b) in shapes.items():
            single(op + suffix, op, {"a": numbers(*a), "b": numbers(*b)},
                   function)
    single("maximum_ties", "maximum",
           {"a": torch.tensor([1.0, 2.0, 3.0, 0.0]),
            "b": torch.tensor([1.0, 3.0, 2.0, 0.0])}, torch.maximum)
    single("pow", "pow", {"x": positive(3, 4), "y": numbers(3, 4)},
           torch.pow)
    single("pow_row", "pow", {"x": positive(3, 4), "y": numbers(4)},
           torch.pow)
    single("pow_at_zero", "pow",
           {"x": torch.tensor([0.0, 0.0, 0.0, 2.0]),
            "y": torch.tensor([0.0, 1.0, 2.5, 0.0])}, torch.pow)

    def whole_powers(graph, x, y):
        # Constants have no gradient: d/dy is NaN at negative x.
        fixed = graph.add("stop_gradient", [y], y[1].detach())
        return {"y": graph.add("pow", [x, fixed],
                               torch.pow(x[1], fixed[1]))}
    case("pow_negative_base",
         {"x": numbers(6), "y": torch.tensor([2.0, 3, -1, -2, 1, 0])},
         whole_powers)
    single("add_n", "add_n",
           {"a": numbers(2, 3), "b": numbers(2, 3), "c": numbers(2, 3)},
           lambda a, b, c: a + b + c)
    choose = torch.tensor([[True], [False], [True]])
    single("where", "where",
           {"c": choose, "a": numbers(3, 4), "b": numbers(4)}, torch.where)


def axes_attr(axes, keep):
    parts = []
    if axes is not None:
        parts.append("axes = [" + ", ".join(map(str, axes)) + "]")
    if keep:
        parts.append("keep_dims = true")
    return ", ".join(parts)


def reduce():
    def norm(x, dim, keepdim):
        return torch.linalg.vector_norm(x, dim=dim, keepdim=keepdim)
    functions = {
        "reduce_sum": lambda x, d, k: torch.sum(x, dim=d, keepdim=k),
        "reduce_mean": lambda x, d, k: torch.mean(x, dim=d, keepdim=k),
        "reduce_max": lambda x, d, k: torch.amax(x, dim=d, keepdim=k),
        "norm": norm,
    }
    rows = {"": (None, False), "_axis": ([1], False), "_two": ([0, 2], True),
            "_negative": ([-1], True)}
    for op, function in functions.items():
        for suffix, (axes, keep) in rows.items():
            dim = [0, 1, 2] if axes is None else axes
            single(op + suffix, op, {"x": distinct(2, 4, 3)},
                   lambda x: function(x, dim, keep), axes_attr(axes, keep))
    single("reduce_max_ties", "reduce_max",
           {"x": torch.tensor([[1.0, 3, 3], [2, 2, 2], [5, 4, 5]])},
           lambda x: torch.amax(x, dim=[1]), "axes = [1]")
    single("norm_at_zero", "norm", {"x": torch.zeros(3)},
           lambda x: norm(x, [0], False))

    def reduce_to(graph, x, like):
        result = x[1].sum(dim=0).sum(dim=1, keepdim=True)
        return {"y": graph.add("reduce_to", [x, like], result)}
    case("reduce_to", {"x": numbers(2, 3, 4), "like": numbers(3, 1)},
         reduce_to)


def matmul():
    for a_flip in (False, True):
        for b_flip in (False, True):
            a = numbers(4, 3) if a_flip else numbers(3, 4)
            b = numbers(5, 4) if b_flip else numbers(4, 5)
            attrs = [n for n, on in (("transpose_a = true", a_flip),
                                     ("transpose_b = true", b_flip)) if on]
            single(f"matmul_{int(a_flip)}{int(b_flip)}", "matmul",
                   {"a": a, "b": b},
                   lambda a, b: torch.matmul(a.T if a_flip else a,
                                             b.T if b_flip else b),
                   ", ".join(attrs))
    single("matmul_batched", "matmul",
           {"a": numbers(2, 1, 2, 3), "b": numbers(3, 3, 2)}, torch.matmul)
    single("matmul_shared", "matmul",
           {"a": numbers(3, 2, 3), "b": numbers(3, 2)}, torch.matmul)
    single("matmul_long", "matmul", {"a": numbers(2, 70),
                                     "b": numbers(70, 2)}, torch.matmul)


def movement():
    x = lambda: numbers(2, 3, 4)
    single("reshape", "reshape", {"x": x()}, lambda x: x.reshape(6, 4),
           "dims = [-1, 4]")
    single("expand_dims", "expand_dims", {"x": x()},
           lambda x: x[None, :, :, :, None], "axes = [0, 4]")
    single("transpose", "transpose", {"x": x()},
           lambda x: x.permute(2, 0, 1), "perm = [2, 0, 1]")
    single("broadcast_to", "broadcast_to", {"x": numbers(3, 1)},
           lambda x: x.expand(2, 3, 4), "dims = [2, 3, 4]")
    single("concat", "concat",
           {"a": numbers(2, 1), "b": numbers(2, 3), "c": numbers(2, 2)},
           lambda *v: torch.cat(v, dim=1), "axis = 1")
    single("slice", "slice", {"x": numbers(6, 5)},
           lambda x: x[1:6:2, 2:4],
           "starts = [1, -3], stops = [100, -1], steps = [2, 1]")
    single("gather", "gather", {"x": numbers(4, 3), "i": index(4, 2, 3)},
           lambda x, i: x[i], "axis = 0")
    single("gather_axis", "gather", {"x": numbers(2, 5), "i": index(5, 4)},
           lambda x, i: x[:, i], "axis = 1")
    single("scatter_add", "scatter_add",
           {"base": numbers(3, 2), "i": index(3, 5), "u": numbers(5, 2)},
           lambda base, i, u: base.index_add(0, i % 3, u), "axis = 0")


def softmax():
    for op, function in (("softmax", F.softmax),
                         ("log_softmax", F.log_softmax)):
        single(op, op, {"x": numbers(3, 5)}, lambda x: function(x, dim=-1),
               "axis = -1")
        single(op + "_axis", op, {"x": numbers(2, 3, 4)},
               lambda x: function(x, dim=1), "axis = 1")
        single(op + "_wide", op,
               {"x": torch.tensor([[700.0, -700, 0], [1e4, 1e4, 9990]])},
               lambda x: function(x, dim=1), "axis = 1")

    def entropy(graph, logits, target):
        loss = F.cross_entropy(logits[1], target[1] % logits[1].shape[1],
                               reduction="none")
        label = f"%{len(graph.lines)}"
        graph.lines.append(
            f"{label}, %p = cross_entropy %x, %t : {type_of(loss)}, "
            f"{type_of(logits[1])}")
        return {"loss": (label, loss)}
    case("cross_entropy", {"x": numbers(4, 5), "t": index(5, 4)}, entropy)


def networks():
    def layers(graph, x, w1, b1, w2, b2, t):
        h = graph.add("matmul", [x, w1], x[1] @ w1[1])
        h = graph.add("add", [h, b1], h[1] + b1[1])
        h = graph.add("tanh", [h], torch.tanh(h[1]))
        y = graph.add("matmul", [h, w2], h[1] @ w2[1])
        y = graph.add("add", [y, b2], y[1] + b2[1])
        e = graph.add("sub", [y, t], y[1] - t[1])
        e = graph.add("square", [e], e[1] * e[1])
        return {"loss": graph.add("reduce_mean", [e], e[1].mean())}
    case("two_layers",
         {"x": numbers(5, 4), "w1": numbers(4, 6) / 2, "b1": numbers(6),
          "w2": numbers(6, 2) / 2, "b2": numbers(2), "t": numbers(5, 2)},
         layers)

    def attention(graph, q, k, v):
        scores = graph.add("matmul", [q, k],
                           q[1] @ k[1].transpose(-1, -2),
                           "transpose_b = true")
        scale = graph.constant(0.5)
        scores = graph.add("mul", [scores, scale], scores[1] * 0.5)
        weights = graph.add("softmax", [scores],
                            F.softmax(scores[1], dim=-1), "axis = -1")
        return {"y": graph.add("matmul", [weights, v], weights[1] @ v[1])}
    case("attention", {"q": numbers(2, 3, 4), "k": numbers(2, 5, 4),
                       "v": numbers(2, 5, 3)}, attention)

    def shared(graph, x):
        # One value used in several ways: its gradients meet.
        a = graph.add("sigmoid", [x], torch.sigmoid(x[1]))
        b = graph.add("mul", [a, x], a[1] * x[1])
        c = graph.add("add", [b, a], b[1] + a[1])
        d = graph.add("div", [c, x], c[1] / x[1])
        return {"y": graph.add("mul", [d, a], d[1] * a[1]), "z": b}
    case("shared_values", {"x": numbers(6)}, shared)


def optimisers(later=False):
    def make(name, inputs, optimiser, state, op, scalars, n_steps=3):
        w = torch.nn.Parameter(inputs["w"].clone())
        gradients = [inputs[f"g{i}"] for i in range(n_steps)]
        steps = optimiser([w])

        def compute(graph, *values):
            w_label = ("%w", inputs["w"])
            held = [("%" + key, inputs[key]) for key in state]
            constants = [graph.constant(s) for s in scalars]
            for i, g in enumerate(gradients):
                w.grad = g.clone()
                steps.step()
                extra = []
                if op in ("adam", "adamw"):
                    step = torch.tensor(i + 1)
                    extra = [graph.add("constant", [], step,
                                       f"value = {i + 1}")]
                operands = ([w_label] + held + [(f"%g{i}", g)] + constants +
                            extra)
                names = ", ".join(label for label, _ in operands)
                labels = [f"%s{i}_{k}" for k in range(1 + len(held))]
                types = ", ".join([type_of(g)] * len(labels))
                graph.lines.append(
                    f"{', '.join(labels)} = {op} {names} : {types}")
                w_label = (labels[0], w.detach().clone())
                held = [(label, g) for label in labels[1:]]
            return {"w": w_label}
        case(name, inputs, compute, gradient=False)

    def inputs(*state):
        result = {"w": numbers(4)}
        for key in state:
            result[key] = torch.zeros(4)
        for i in range(3):
            result[f"g{i}"] = numbers(4)
        return result

    if later:
        more_optimisers(make, inputs)
        return
    make("sgd_steps", inputs(), lambda p: torch.optim.SGD(p, lr=0.125), [],
         "sgd", [0.125])
    make("momentum_steps", inputs("v"),
         lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.875), ["v"],
         "momentum", [0.125, 0.875])
    make("adam_steps", inputs("m", "v"),
         lambda p: torch.optim.Adam(p, lr=0.125, betas=(0.875, 0.9375),
                                    eps=2**-20), ["m", "v"], "adam",
         [0.125, 0.875, 0.9375, 2**-20])


# Lion has no counterpart here.
def more_optimisers(make, inputs):
    make("nesterov_steps", inputs("v"),
         lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.875,
                                   nesterov=True), ["v"],
         "nesterov", [0.125, 0.875])
    make("adamw_steps", inputs("m", "v"),
         lambda p: torch.optim.AdamW(p, lr=0.125, betas=(0.875, 0.9375),
                                     eps=2**-20, weight_decay=0.0625),
         ["m", "v"], "adamw", [0.125, 0.875, 0.9375, 2**-20, 0.0625])
    make("rmsprop_steps", inputs("v"),
         lambda p: torch.optim.RMSprop(p, lr=0.125, alpha=0.875, eps=2**-20),
         ["v"], "rmsprop", [0.125, 0.875, 2**-20])
    make("adagrad_steps", inputs("v"),
         lambda p: torch.optim.Adagrad(p, lr=0.125, eps=2**-20), ["v"],
         "adagrad", [0.125, 2**-20])
    make("adadelta_steps", inputs("v", "u"),
         lambda p: torch.optim.Adadelta(p, lr=0.125, rho=0.875, eps=2**-10),
         ["v", "u"], "adadelta", [0.125, 0.875, 2**-10])


# New cases go to the end: those before them keep their random numbers.
def activations():
    functions = {
        "expm1": torch.expm1, "erf": torch.erf, "sin": torch.sin,
        "cos": torch.cos, "silu": F.silu, "gelu": F.gelu,
        "softplus": lambda x: F.softplus(x, threshold=1000),
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    }
    far = torch.tensor([-40.0, -20, -5, -1, 0, 1, 5, 20, 40])
    for op, function in functions.items():
        single(op, op, {"x": numbers(3, 7)}, function)
        single(op + "_far", op, {"x": far.clone()}, function)
    for op, function in (("rsqrt", torch.rsqrt), ("log1p", torch.log1p)):
        single(op, op, {"x": positive(3, 7)}, function)
    near = torch.tensor([2.0**-k for k in range(0, 30, 3)])
    for op in ("expm1", "erf"):
        single(op + "_near_zero", op, {"x": near.clone()}, functions[op])
    single("log1p_near_zero", "log1p", {"x": -near[1:].clone()}, torch.log1p)


def bounds():
    single("minimum", "minimum", {"a": numbers(3, 4), "b": numbers(4)},
           torch.minimum)
    single("minimum_ties", "minimum",
           {"a": torch.tensor([1.0, 2.0, 3.0, 0.0]),
            "b": torch.tensor([1.0, 3.0, 2.0, 0.0])}, torch.minimum)
    at = torch.tensor([[-3.0, -1, 0], [1, 2, 3]])
    single("clip", "clip",
           {"x": at, "low": torch.tensor([-1.0, -1, 1]),
            "high": torch.tensor(2.0)},
           lambda x, low, high: torch.clamp(x, low, high))
    single("clip_numbers", "clip",
           {"x": numbers(4, 5), "low": -positive(4, 1), "high": positive(5)},
           lambda x, low, high: torch.clamp(x, low, high))


def more_reductions():
    functions = {
        "reduce_min": lambda x, d, k: torch.amin(x, dim=d, keepdim=k),
        "reduce_prod": lambda x, d, k: torch.prod(x, dim=d, keepdim=k),
        "logsumexp": lambda x, d, k: torch.logsumexp(x, dim=d, keepdim=k),
    }
    for op, function in functions.items():
        for axis, keep in ((0, False), (1, True), (2, False)):
            name = "axis = {}" if op == "logsumexp" else "axes = [{}]"
            attrs = name.format(axis) + (", keep_dims = true" if keep else "")
            single(f"{op}_{axis}", op, {"x": distinct(2, 4, 3)},
                   lambda x: function(x, axis, keep), attrs)
    single("reduce_min_ties", "reduce_min",
           {"x": torch.tensor([[1.0, 3, 1], [2, 2, 2], [5, 4, 5]])},
           lambda x: torch.amin(x, dim=[1]), "axes = [1]")
    single("reduce_prod_zeros", "reduce_prod",
           {"x": torch.tensor([[1.0, 3, 2], [2, 0, 4], [0, 4, 0]])},
           lambda x: torch.prod(x, dim=1), "axes = [1]")
    single("logsumexp_wide", "logsumexp",
           {"x": torch.tensor([[700.0, -700, 0], [1e4, 1e4, 9990]])},
           lambda x: torch.logsumexp(x, dim=1), "axis = 1")


def moving_more():
    single("cumsum", "cumsum", {"x": numbers(3, 5)},
           lambda x: torch.cumsum(x, 1), "axis = 1")
    single("cumsum_reverse", "cumsum", {"x": numbers(3, 5)},
           lambda x: torch.cumsum(x.flip(0), 0).flip(0),
           "axis = 0, reverse = true")
    single("cumsum_exclusive", "cumsum", {"x": numbers(3, 5)},
           lambda x: torch.cumsum(x, 1) - x, "axis = -1, exclusive = true")
    single("pad", "pad", {"x": numbers(3, 4), "value": numbers()},
           lambda x, value: value + F.pad(x - value, (2, 0, 1, 3)),
           "before = [1, 2], after = [3, 0]")
    single("flip", "flip", {"x": numbers(2, 3, 4)},
           lambda x: torch.flip(x, [0, 2]), "axes = [0, -1]")
    for op, function in (("tril", torch.tril), ("triu", torch.triu)):
        for k in (0, 2, -1):
            single(f"{op}_{k + 1}", op, {"x": numbers(2, 3, 4)},
                   lambda x: function(x, k), f"diagonal = {k}")


def normalising():
    def add_normalize(graph, op, x, axes, result, epsilon):
        """A node whose first result is `result`, its statistics unused."""
        number = graph.constant(epsilon)
        stat = x[1].sum(dim=axes, keepdim=True)
        n_stats = 3 if op == "normalize" else 1
        labels = [f"%{len(graph.lines)}"]
        labels += [f"%s{k}" for k in range(n_stats)]
        types = [type_of(result)] + [type_of(stat)] * n_stats
        graph.lines.append(
            f"{', '.join(labels)} = {op} {x[0]}, {number[0]} "
            f"{{axes = {axes}}} : {', '.join(types)}")
        return labels[0], result

    def affine(graph, y, weight, bias):
        y = graph.add("mul", [y, weight], y[1] * weight[1])
        return graph.add("add", [y, bias], y[1] + bias[1])

    def layer(graph, x, weight, bias):
        y = F.layer_norm(x[1], x[1].shape[1:], eps=0.125)
        y = add_normalize(graph, "normalize", x, [1, 2], y, 0.125)
        return {"y": affine(graph, y, weight, bias)}
    case("layer_norm", {"x": numbers(2, 3, 4), "weight": numbers(3, 4),
                        "bias": numbers(3, 4)}, layer)

    def batch(graph, x, weight, bias):
        y = F.batch_norm(x[1], None, None, training=True, eps=2**-10)
        y = add_normalize(graph, "normalize", x, [0, 2], y, 2**-10)
        return {"y": affine(graph, y, weight, bias)}
    case("batch_norm", {"x": numbers(3, 2, 4), "weight": numbers(2, 1),
                        "bias": numbers(2, 1)}, batch)

    def groups(graph, x):
        y = F.group_norm(x[1], 2, eps=2**-10)
        parts = graph.add("reshape", [x], x[1].reshape(2, 2, 6),
                          "dims = [2, 2, 6]")
        y = add_normalize(graph, "normalize", parts, [2],
                          y.reshape(2, 2, 6), 2**-10)
        return {"y": graph.add("reshape", [y], y[1].reshape(2, 4, 3),
                               "dims = [2, 4, 3]")}
    case("group_norm", {"x": numbers(2, 4, 3)}, groups)

    def rms(graph, x):
        square = torch.mean(x[1] * x[1], dim=1, keepdim=True)
        y = x[1] / torch.sqrt(square + 0.25)
        return {"y": add_normalize(graph, "rms_normalize", x, [1], y, 0.25)}
    case("rms_norm", {"x": numbers(4, 5)}, rms)


def windows():
    def update(base, value, start):
        y = base.clone()
        y[:, int(start):int(start) + value.shape[1]] = value
        return y
    start = torch.tensor(2)
    single("slice_at", "slice_at", {"x": numbers(3, 6), "start": start},
           lambda x, i: x[:, int(i):int(i) + 3], "axis = 1, size = 3")
    single("update_slice", "update_slice",
           {"base": numbers(3, 6), "value": numbers(3, 2), "start": start},
           update, "axis = 1")


def attentions():
    def attend(q, k, v, hidden=None, mask=0):
        scores = q @ k.transpose(-1, -2) + mask
        if hidden is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        return F.softmax(scores, dim=-1) @ v

    def triangle(rows, columns, shift=0):
        seen = torch.ones(rows, columns, dtype=torch.bool).tril(shift)
        return ~seen

    def operands(m, n):
        return {"q": numbers(2, m, 4), "k": numbers(2, n, 4),
                "v": numbers(2, n, 3)}
    single("attention_op", "attention", operands(3, 5), attend)
    single("attention_causal", "attention", operands(4, 4),
           lambda q, k, v: attend(q, k, v, triangle(4, 4)), "causal = true")
    single("attention_mask", "attention",
           {**operands(3, 5), "mask": numbers(3, 5)},
           lambda q, k, v, mask: attend(q, k, v, None, mask),
           "has_mask = true")
    single("attention_length", "attention",
           {**operands(3, 6), "length": torch.tensor(4)},
           lambda q, k, v, n: attend(q, k[:, :int(n)], v[:, :int(n)],
                                     triangle(3, int(n), int(n) - 3)),
           "causal = true, has_length = true")


print("# Written by make_values.py with PyTorch "
      + torch.__version__.split("+")[0] + "; see README.md.")
unary()
binary()
reduce()
matmul()
movement()
softmax()
networks()
optimisers()
activations()
bounds()
more_reductions()
moving_more()
normalising()
optimisers(later=True)
windows()
attentions()
