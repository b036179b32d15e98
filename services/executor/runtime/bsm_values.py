"""Whole-value variables and conditions of a compiled play."""

REFERENCE = '$bessemer:var'
MAX_DEPTH = 20


class Undefined(Exception):
    """A variable that has no value, with its name as the playbook wrote it."""


class BadCondition(Exception):
    """A condition whose operands cannot be compared."""


def spell(path):
    text = str(path[0])
    for part in path[1:]:
        text += '[%d]' % part if isinstance(part, int) else '.' + part
    return text


class Scope(object):
    """Looks names up in a list of dictionaries, the strongest first."""

    def __init__(self, layers):
        self.layers = layers

    def lookup(self, path, depth=0):
        if depth > MAX_DEPTH:
            raise Undefined('%s refers to itself' % spell(path))
        for literal, layer in self.layers:
            if path[0] in layer:
                value = layer[path[0]]
                value = value if literal else self.resolve(value, depth + 1)
                break
        else:
            raise Undefined('%r is undefined' % path[0])
        for position, part in enumerate(path[1:], 1):
            try:
                if isinstance(value, dict):
                    value = value[part if part in value else str(part)]
                elif isinstance(value, list) and (isinstance(part, int) or part.isdigit()):
                    value = value[int(part)]
                else:
                    raise KeyError(part)
            except (KeyError, IndexError):
                raise Undefined('%r has no %r' % (spell(path[:position]), part))
        return value

    def resolve(self, value, depth=0):
        """The value with every reference in it replaced by what it stands for."""
        if isinstance(value, dict):
            if REFERENCE in value:
                return self.lookup(value[REFERENCE], depth)
            return {key: self.resolve(item, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, depth) for item in value]
        return value


def is_failed(result):
    return bool(result.get('failed'))


TESTS = {
    'failed': is_failed,
    'succeeded': lambda result: not is_failed(result),
    'success': lambda result: not is_failed(result),
    'changed': lambda result: bool(result.get('changed')),
    'skipped': lambda result: bool(result.get('skipped')),
}
COMPARISONS = {
    '==': lambda a, b: a == b,
    '!=': lambda a, b: a != b,
    '<': lambda a, b: a < b,
    '<=': lambda a, b: a <= b,
    '>': lambda a, b: a > b,
    '>=': lambda a, b: a >= b,
    'in': lambda a, b: a in b,
    'not in': lambda a, b: a not in b,
}


def evaluate(node, scope):
    """The value of a compiled condition. Raises Undefined or BadCondition."""
    kind = node[0]
    if kind == 'lit':
        return node[1]
    if kind == 'var':
        return scope.lookup(node[1])
    if kind == 'and':
        return all(evaluate(part, scope) for part in node[1:])
    if kind == 'or':
        return any(evaluate(part, scope) for part in node[1:])
    if kind == 'not':
        return not evaluate(node[1], scope)
    if kind == 'list':
        return [evaluate(part, scope) for part in node[1:]]
    if kind == 'defined':
        try:
            evaluate(node[1], scope)
            return True
        except Undefined:
            return False
    if kind == 'none':
        return evaluate(node[1], scope) is None
    if kind == 'test':
        result = evaluate(node[2], scope)
        if not isinstance(result, dict):
            raise BadCondition('"is %s" needs a registered result' % node[1])
        return TESTS[node[1]](result)
    try:
        return COMPARISONS[kind](evaluate(node[1], scope), evaluate(node[2], scope))
    except TypeError as error:
        raise BadCondition(str(error))
