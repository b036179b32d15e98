"""Runs a compiled play: the control flow is here, on the target, and only results travel."""
import json
import os
import pwd
import shutil
import time

import bsm_values

INTERNAL = {
    '_ansible_no_log': False,
    '_ansible_debug': False,
    '_ansible_verbosity': 0,
    '_ansible_syslog_facility': 'LOG_USER',
    '_ansible_selinux_special_fs': ['fuse', 'nfs', 'vboxsf', 'ramfs', '9p', 'vfat'],
    '_ansible_string_conversion_action': 'warn',
    '_ansible_socket': None,
    '_ansible_shell_executable': '/bin/sh',
    '_ansible_keep_remote_files': False,
    '_ansible_tmpdir': None,
    '_ansible_remote_tmp': None,
}
CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
# Programs whose presence tells which module stands behind `package`.
PACKAGE_MANAGERS = (('apt', 'apt-get'), ('dnf', 'dnf'), ('yum', 'yum'))


def account_name():
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


class Failed(Exception):
    """Ends a task with this message."""


class PlayRunner(object):
    def __init__(self, runtime, program, payload, ended):
        self.runtime = runtime
        self.program = program
        self.payload = payload
        self.ended = ended
        self.tasks = program['tasks']
        self.facts = {}
        self.registered = dict(program['registered'])
        self.counts = {'ok': 0, 'changed': 0, 'failed': 0, 'skipped': 0, 'ignored': 0}
        self.login_user = account_name()
        self.stopping = False
        self.steps = self._steps()

    def stop_before_next_task(self):
        self.stopping = True

    def start(self):
        self.runtime.loop.call_soon(self._advance, None)

    def _advance(self, value):
        try:
            request = self.steps.send(value)
        except StopIteration:
            return self.ended()
        self.runtime.run_module(request, lambda result: self.runtime.loop.call_soon(self._advance, result))

    def _send(self, event, **fields):
        self.runtime.send(dict(fields, event=event, run=self.program['run']))

    def _steps(self):
        """A generator: yields one module request at a time and is sent its result."""
        end = {'status': 'ok'}
        for index, task in enumerate(self.tasks):
            if index < self.program['start'] and not task['facts']:
                continue
            if self.stopping:
                end = {'status': 'cancelled', 'task': index}
                break
            self._send('task-start', task=index)
            began = time.monotonic()
            result = yield from self._task(index, task)
            status = self._status(result)
            ignored = status == 'failed' and task['ignoreErrors'] and result.get('_code') != 'CANCELLED'
            self.counts['ignored' if ignored else status] += 1
            if status == 'changed':
                self.counts['ok'] += 1
            code = result.pop('_code', None)
            if task['register']:
                self.registered[task['register']] = result
            self._send('task-result', task=index, status=status, ignored=ignored, code=code,
                       result=self._shown(task, result), elapsedMs=round((time.monotonic() - began) * 1000, 3))
            if status == 'failed' and not ignored:
                end = {'status': 'cancelled' if code == 'CANCELLED' else 'failed', 'task': index}
                break
        self._send('play-end', counts=self.counts, registered=self.registered, **end)

    @staticmethod
    def _status(result):
        if result.get('failed'):
            return 'failed'
        if result.get('skipped'):
            return 'skipped'
        return 'changed' if result.get('changed') else 'ok'

    def _shown(self, task, result):
        if task['noLog']:
            return {'censored': CENSORED, 'changed': bool(result.get('changed')), 'failed': bool(result.get('failed'))}
        hidden = {'results'} if task['loop'] is not None else set()
        if task['facts']:
            hidden.add('ansible_facts')
        return {key: value for key, value in result.items() if key not in hidden}

    def _scope(self, task, extra=None):
        """Strongest first: item, the caller's variables, registered and set facts, the task's, the play's, the target's facts."""
        return bsm_values.Scope([
            (True, extra or {}),
            (True, self.program['vars']),
            (True, self.registered),
            (False, task['vars']),
            (False, self.program['plays'][task['play']]['vars']),
            (True, self.facts),
        ])

    def _task(self, index, task):
        if task['loop'] is None:
            return (yield from self._once(task, self._scope(task)))
        try:
            items = self._items(task)
        except (bsm_values.Undefined, Failed) as problem:
            return {'failed': True, 'changed': False, 'msg': 'The loop of this task: %s' % problem}
        if not items:
            return {'changed': False, 'skipped': True, 'skipped_reason': 'No items in the list', 'results': []}
        results = []
        for position, item in enumerate(items):
            if self.stopping:
                results.append({'failed': True, 'changed': False, 'msg': 'the play was cancelled', '_code': 'CANCELLED'})
                break
            began = time.monotonic()
            result = yield from self._once(task, self._scope(task, {task['loopVar']: item}))
            result[task['loopVar']] = item
            result['ansible_loop_var'] = task['loopVar']
            results.append(result)
            shown = {key: value for key, value in self._shown(dict(task, loop=None), result).items() if key != '_code'}
            self._send('item-result', task=index, item=None if task['noLog'] else item, position=position,
                       status=self._status(result), result=shown, elapsedMs=round((time.monotonic() - began) * 1000, 3))
        return self._joined(results)

    def _items(self, task):
        items = self._scope(task).resolve(task['loop'])
        if not isinstance(items, list):
            raise Failed('a list is needed, not %s' % type(items).__name__)
        if not task['flatten']:
            return items
        flat = []
        for item in items:
            flat.extend(item if isinstance(item, list) else [item])
        return flat

    @staticmethod
    def _joined(results):
        joined = {
            'results': results,
            'changed': any(r.get('changed') for r in results),
            'skipped': False,
            'msg': 'All items completed',
        }
        codes = [r.pop('_code') for r in results if '_code' in r]
        if codes:
            joined['_code'] = codes[0]
        if any(r.get('failed') for r in results):
            joined['failed'] = True
            joined['msg'] = 'One or more items failed'
        elif all(r.get('skipped') for r in results):
            joined['skipped'] = True
            joined['msg'] = 'All items skipped'
        return joined

    def _once(self, task, scope):
        try:
            if task['when'] is not None and not bsm_values.evaluate(task['when'], scope):
                return {'changed': False, 'skipped': True, 'skip_reason': 'Conditional result was False'}
            arguments = scope.resolve(task['args'])
            own = getattr(self, '_do_' + task['action'], None)
            if own is not None:
                result = own(task, arguments, scope)
            else:
                result = yield self._request(task, arguments)
                if task['module'] in ('user', 'group') and result.get('changed'):
                    self.runtime.accounts.close_all('its groups may have changed')
            self._finish(task, result, scope)
        except (bsm_values.Undefined, bsm_values.BadCondition, Failed) as problem:
            result = {'failed': True, 'changed': False, 'msg': str(problem)}
        return result

    def _finish(self, task, result, scope):
        """What Ansible's controller adds to a module's answer."""
        for key in [k for k in result if k.startswith('_ansible_') or k == 'invocation']:
            del result[key]
        for stream in ('stdout', 'stderr'):
            if isinstance(result.get(stream), str):
                result[stream + '_lines'] = result[stream].splitlines()
        if 'failed' not in result and result.get('rc') not in (None, 0, '0'):
            result['failed'] = True
        result.setdefault('changed', False)
        facts = result.get('ansible_facts')
        if isinstance(facts, dict) and task['action'] == 'module':
            self.facts.update(facts)
            short = {k[8:] if k.startswith('ansible_') else k: v for k, v in facts.items()}
            self.facts.setdefault('ansible_facts', {}).update(short)
        if task['changedWhen'] is None and task['failedWhen'] is None:
            return
        layers = [(True, {task['register']: result} if task['register'] else {})] + scope.layers
        judged = bsm_values.Scope(layers)
        if task['changedWhen'] is not None:
            result['changed'] = bool(bsm_values.evaluate(task['changedWhen'], judged))
        if task['failedWhen'] is not None and '_code' not in result:
            result['failed'] = result['failed_when_result'] = bool(bsm_values.evaluate(task['failedWhen'], judged))

    def _request(self, task, arguments):
        arguments = dict(arguments)
        module = self._module(task, arguments)
        staged = self._staged(task, arguments)
        arguments.update(INTERNAL)
        arguments['_ansible_no_log'] = task['noLog']
        arguments['_ansible_check_mode'] = self.program['check']
        arguments['_ansible_diff'] = False
        arguments['_ansible_module_name'] = module
        arguments['_ansible_version'] = self.program['ansibleVersion']
        user = task['becomeUser']
        return {
            'name': self.program['modules'][module],
            'arguments': arguments,
            'staged': staged,
            'timeout_s': self.program['taskTimeoutS'],
            'user': None if user == self.login_user else user,
            'password': self.program['becomePassword'],
        }

    def _module(self, task, arguments):
        """The module that runs: what Ansible's `service` and `package` actions choose on the controller is chosen here."""
        if task['module'] == 'service' and arguments.pop('use', 'auto') == 'auto':
            if not os.path.isdir('/run/systemd/system'):
                return 'service'
            for key in ('pattern', 'runlevel', 'sleep', 'arguments', 'args'):
                arguments.pop(key, None)
            return 'systemd'
        if task['module'] == 'package':
            wanted = arguments.pop('use', 'auto')
            for module, program in PACKAGE_MANAGERS:
                if module in self.program['modules'] and (wanted == module or wanted == 'auto' and shutil.which(program)):
                    return module
            raise Failed('package: none of apt, dnf and yum is on the target')
        return task['module']

    def _staged(self, task, arguments):
        """The controller's half of `copy`: the file's bytes, or the content, go to the task beside its arguments."""
        if task['module'] != 'copy' or task['files'] is None:
            return None
        for key in ('decrypt', 'local_follow'):
            arguments.pop(key, None)
        content = arguments.pop('content', None)
        if content is not None:
            if isinstance(content, (dict, list)):
                content = json.dumps(content)
            elif isinstance(content, bool):
                content = 'True' if content else 'False'
            return {'name': None, 'given': 'content', 'data': str(content).encode('utf-8', 'surrogateescape')}
        place = task['files'].get(arguments.get('src'))
        if place is None:
            raise Failed('copy: the file %r was not sent with the play' % arguments.get('src'))
        return {'name': os.path.basename(arguments['src']), 'given': 'src',
                'data': self.payload[place[0]:place[0] + place[1]]}

    def _do_set_fact(self, task, arguments, scope):
        arguments.pop('cacheable', None)
        self.registered.update(arguments)
        return {'changed': False, 'ansible_facts': arguments}

    def _do_debug(self, task, arguments, scope):
        if 'var' in arguments:
            path = arguments['var']
            try:
                return {'changed': False, bsm_values.spell(path): scope.lookup(path)}
            except bsm_values.Undefined:
                return {'changed': False, bsm_values.spell(path): 'VARIABLE IS NOT DEFINED!'}
        return {'changed': False, 'msg': arguments.get('msg', 'Hello world!')}

    def _do_fail(self, task, arguments, scope):
        return {'changed': False, 'failed': True, 'msg': arguments.get('msg', 'Failed as requested from task')}

    def _do_assert(self, task, arguments, scope):
        for text, condition in task['that']:
            if not bsm_values.evaluate(condition, scope):
                return {'changed': False, 'failed': True, 'evaluated_to': False, 'assertion': text,
                        'msg': arguments.get('fail_msg', arguments.get('msg', 'Assertion failed'))}
        return {'changed': False, 'msg': arguments.get('success_msg', 'All assertions passed')}
