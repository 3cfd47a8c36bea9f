"""The start-up hook: registers our tasks, metrics and model in lm-eval without a flag.

`s2eval_lm_eval.pth`, installed beside the package, imports this module whenever Python starts. It only puts one object
on `sys.meta_path`. When lm-eval itself is imported, each module in `HOOKS` is given, right after it was executed, to
the function of that name in `s2eval.plugin`. `S2EVAL_HOOK=0` switches it off; then
`--include_path "$(s2eval ls tasks --path)"` still gives the tasks.
"""

import os
import sys

# lm-eval module → function of s2eval.plugin that receives it once it is loaded
HOOKS = {
    "lm_eval.models": "register_model",
    "lm_eval.api.metrics": "register_metrics",
    "lm_eval.tasks._index": "add_task_folder",
    "lm_eval.tasks.manager": "match_each_task_once",
    "lm_eval.evaluator_utils": "use_own_stderr",
    "lm_eval.config.evaluate_config": "choose_default_model",
    "lm_eval.loggers.utils": "find_commit_quietly",
}


class Finder:
    """A meta path finder that finds nothing itself: it lets the others find, then hooks the loader."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """The spec that the other finders give for a module in `HOOKS`, its loader wrapped; else None."""
        if name not in HOOKS:
            return None
        for finder in sys.meta_path:
            if finder is cls:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _hook_loader(spec.loader, HOOKS[name])
                return spec
        return None


def _hook_loader(loader, function):
    execute = loader.exec_module

    def exec_module(module):
        execute(module)
        from s2eval import plugin

        getattr(plugin, function)(module)

    loader.exec_module = exec_module


def install():
    """Put the finder first on `sys.meta_path`, once, unless `S2EVAL_HOOK=0`."""
    if os.environ.get("S2EVAL_HOOK") != "0" and Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)


install()
