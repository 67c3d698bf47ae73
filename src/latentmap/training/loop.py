"""The training loop: the only one. Objectives, batches, optimizer, history and checkpoints are its parts.

For each epoch, for each batch, one step is taken down the objective's gradient; then the validation loss is measured,
and the best weights so far are kept. Everything that changes meanwhile is in `Training`: a checkpoint is that.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentmap.errors import CheckpointError, warn, words_of
from latentmap.models import AutoencoderModule
from latentmap.models.modes import threads
from latentmap.training.batches import Batches
from latentmap.training.callbacks import Callback
from latentmap.training.checkpoints import Checkpoints, Snapshot
from latentmap.training.objectives.base import Batch, Objective
from latentmap.training.optimizer import Muon
from latentmap.training.plan import EpochRecord, TrainingPlan, TrainingResult
from latentmap.training.ranks import everywhere, whole_batches
from latentmap.training.runtime import TrainingInterrupted, deferred_interrupts, handles_signals

_LOWER = 1 / 3  # of the learning rate, for the second try of training that diverged
_LOOK_EVERY = 64  # steps between two looks at the loss on an accelerator, where each look waits for it
# In units of the first batch's loss, or of the data's variance where that is more. A batch of the data's worst
# outliers alone could reach n_batches times that variance; a thousand times that is no data's doing.
_EXPLODED = 1e3
_JUDGED = 8192  # samples of the training part that say how good the start is
_NOISE = 1.0  # standard errors by which an epoch must be better than the start
# What a checkpoint says of `Training` beside tensors and history.
_FACTS: dict[str, type] = {"epoch": int, "batch": int, "best_epoch": int}
_FACTS |= {"loss_sum": float, "first_loss": float, "rate_scale": float, "last_rate": float}
_FEW_PARAMETERS = 100_000  # of a network of vectors, whose operations are then too small to share among cores
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LOOKS = 12  # at the weights, while it learns, at least
_TELL_EVERY = 0.1  # seconds between two words of progress, which must not cost what they tell of


def train(
    module: AutoencoderModule,
    batches: Batches,
    objective: Objective,
    plan: TrainingPlan,
    *,
    callbacks: Sequence[Callback] = (),
    untrained: bool = False,  # whether it may begin from principal components, and keep these if no epoch is better
    optimizer_state: dict[str, Tensor] | None = None,  # of an earlier result, to go on from
    checkpoints: Checkpoints | None = None,  # where to keep the run; Ctrl-C then saves before it stops
    resume: bool = False,  # from the checkpoint, where there is one, to the same bits
    encode: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,  # for callbacks: codes by the module as it is
) -> TrainingResult:
    """Train a module, and leave it with the weights of its best epoch, on the CPU, in evaluation mode.

    Where the loss is no longer a sensible number, even after one more try at a third of the learning rate, the result
    has a `problem`, and the module the last good weights. `TrainingInterrupted` where it was to stop.
    """
    if plan.epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {plan.epochs}.")
    snapshot = checkpoints.load() if checkpoints is not None and resume else None
    step = None if snapshot is None else dict(snapshot.facts)
    if batches.ranks.same(step) != step:
        raise CheckpointError(
            "the processes do not find the same checkpoint. Keep it where all of them can read it (--storage)."
        )
    module.to(batches.device)
    if untrained:
        # A network that leaves them competes with the start: the validation part may judge between the two only if
        # neither has seen it. One that keeps them gains by those of all samples, as much as the start does.
        module.start_from(batches.components(module.n_components, of_all=module.keeps_components))
    batches.ranks.align(module)
    objective.to(batches.device).begin(module, batches)
    n_done = 0 if snapshot is None else len(snapshot.fact("history", list))
    plan = replace(plan, n_train=batches.n_train, n_validation=batches.n_validation, epochs_done=n_done)
    for callback in callbacks:
        callback.on_train_begin(plan)
    try:
        small = len(module.sample_shape) == 1 and module.n_parameters <= _FEW_PARAMETERS and not module.is_foreign
        n_threads = threads(1) if module.recipe.one_thread or small else nullcontext()
        # Without a checkpoint there is nothing to save, and Ctrl-C stops at once, where it comes to this thread.
        defers = checkpoints is not None or not handles_signals()
        interrupts = deferred_interrupts() if defers else nullcontext(lambda: False)
        with interrupts as stops, n_threads, whole_batches(module, batches.ranks):
            training = Training(module, batches, objective, plan, optimizer_state, callbacks, encode)
            training.begin(snapshot, has_start=untrained and bool(module.n_components) and plan.decay)
            training.run(checkpoints, stops)
            stays = training.start is not None and training.best_epoch == 0  # no epoch was better than the start
            if stays and not module.keeps_components and batches.n_validation:
                # The path alone: a network may not begin from a mean twice.
                module.start_path(batches.components(module.n_components, of_all=True))
                batches.ranks.align(module)
    except ValueError as error:
        if "more than 1 value per channel" in str(error):  # PyTorch's words for a batch of one
            raise ValueError(
                f"batch_size must be at least 2 for model={plan.model!r}, whose batch norm compares samples, got "
                f"batches of one of {plan.n_train} samples. Use larger batches or pieces."
            ) from error
        raise
    finally:
        module.to("cpu").eval()
        for callback in callbacks:
            callback.on_train_end()
    return training.result()


class Training:
    """One run: the module, the optimizer, and everything else that changes as it goes; parameters as for `train`."""

    def __init__(
        self,
        module: AutoencoderModule,
        batches: Batches,
        objective: Objective,
        plan: TrainingPlan,
        optimizer_state: dict[str, Tensor] | None,
        callbacks: Sequence[Callback],
        encode: Callable[[NDArray[Any]], NDArray[np.float32]] | None,
    ) -> None:
        self.module, self.batches, self.objective, self.plan = module, batches, objective, plan
        self._callbacks, self._encode, self._told = callbacks, encode, time.perf_counter()
        self.learned = nn.ModuleDict({"module": module, "objective": objective})
        self.optimizer = self._new_optimizer()
        if optimizer_state is not None:
            self.optimizer.load_state_dict(optimizer_state)
            own = {name: optimizer_state[f"objective.{name}"] for name in objective.state_dict()}
            objective.load_state_dict(own)
        self.history: list[EpochRecord] = []
        self.epoch, self.batch = 1, 0  # what is learned from next
        self.loss_sum = 0.0  # over the epoch's samples so far
        self.first_loss: float | None = None
        self.rate_scale = 1.0  # lower after a divergence
        self.problem: str | None = None
        self.best_epoch = 0  # 0: the weights that training began with
        self.best_weights = _copy(self.learned)
        self.start: EpochRecord | None = None  # epoch 0, where what training begins with is already of use
        self._start_losses: Tensor | None = None
        self._seconds, self._start = 0.0, time.perf_counter()
        self._autocast = torch.autocast(
            batches.device.type, torch.bfloat16, enabled=plan.precision == "bfloat16", cache_enabled=False
        )

    def run(self, checkpoints: Checkpoints | None, stop_wanted: Callable[[], bool]) -> None:
        """Learn epoch by epoch until nothing is left to do."""
        try:
            while not self.is_finished:
                try:
                    self.run_epoch(checkpoints, stop_wanted)
                except _DivergedError as error:
                    self.recover(*error.args)
                    continue
                self.end_epoch()
                for callback in self._callbacks:
                    callback.on_epoch_end(self.history[-1])
                self.show_weights()
            if checkpoints is not None and self.problem is None:
                checkpoints.save(self.snapshot())
        finally:
            self.learned.load_state_dict(self.best_weights)
            self.learned.eval()

    def begin(self, snapshot: Snapshot | None, *, has_start: bool) -> None:
        """Begin with the module as it is, or go back to where a run was interrupted."""
        if has_start:  # judge it, as epoch 0: a candidate for the best
            self._start_losses = validate(self.module, self.batches, self.objective)
            valid_loss = None if self._start_losses is None else float(self._start_losses.mean())
            self.start = EpochRecord(0, self._present_loss(), valid_loss, 0.0, self.seconds)
        if snapshot is None:  # show it
            self.show_weights()
        if has_start:  # leave it
            self.module.leave_start()
        if snapshot is not None:  # go back
            self.restore(snapshot)

    @torch.no_grad()
    def _present_loss(self) -> float:
        """The training part's loss under the weights as they are, of its first batches where it is large."""
        total, n = 0.0, 0
        for batch in self.batches.epoch(1, objective=self.objective):
            loss = everywhere(self.objective(self.module, batch), batch.share)
            total, n = total + float(loss) * batch.whole, n + batch.whole
            if n >= _JUDGED:
                break
        return total / n

    def _new_optimizer(self) -> Muon:
        """An optimizer without memory."""
        learned = [parameter for parameter in self.learned.parameters() if parameter.requires_grad]
        return Muon(learned, self.plan.learning_rate, weight_decay=self.plan.weight_decay)

    @property
    def seconds(self) -> float:
        """Spent in training, former parts of an interrupted run included."""
        return self._seconds + time.perf_counter() - self._start

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, patience has run out, or nothing more can be done."""
        return self.epoch > self.plan.epochs or self.stopped_early or self.problem is not None

    @property
    def stopped_early(self) -> bool:
        """Whether the best epoch is as long ago as patience allows."""
        if self.plan.patience is None or not self.history:
            return False
        # Of the epochs among themselves: many begin above what the start gives, and end below.
        losses = [record.loss if math.isfinite(record.loss) else math.inf for record in reversed(self.history)]
        return losses.index(min(losses)) >= self.plan.patience

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        decay = 1 - (self.step + 0.5) / self.n_steps if self.plan.decay else 1.0  # straight down to nearly zero
        return self.plan.learning_rate * self.rate_scale * decay

    @property
    def step(self) -> int:
        """Steps done."""
        return (self.epoch - 1) * self.batches.n_batches + self.batch

    @property
    def n_steps(self) -> int:
        """Steps in all."""
        return self.plan.epochs * self.batches.n_batches

    def run_epoch(self, checkpoints: Checkpoints | None, stop_wanted: Callable[[], bool]) -> None:
        """Learn from what is left of the present epoch."""
        self.learn()
        pending: list[Tensor] = []
        look_every = 1 if self.batches.device.type == "cpu" else _LOOK_EVERY
        for batch in self.batches.epoch(self.epoch, start=self.batch, objective=self.objective):
            loss, stop = self._step(batch, stop_wanted)
            pending.append(loss * batch.whole)
            self.batch += 1
            self._tell()
            if self.batch % look_every and self.batch < self.batches.n_batches:
                continue
            self._look_at(pending)
            if self.batch < self.batches.n_batches and self.batch % self._show_every == 0:
                self.show_weights()
                self.learn()
            if checkpoints is not None and (stop or checkpoints.are_due):
                checkpoints.save(self.snapshot())
            if stop and checkpoints is None:
                raise KeyboardInterrupt
            if stop:
                raise TrainingInterrupted(self.epoch, self.plan.epochs)

    def learn(self) -> None:
        """Go to training mode; in the later epochs batch norm goes by the means it has kept, where the plan says so.

        What it draws from a batch is noise, which a code of many numbers is the less exact for.
        """
        self.learned.train()
        if self.plan.decay and self.epoch > round(self.plan.norms_settle * self.plan.epochs):
            for layer in self.module.modules():
                if isinstance(layer, _NORMS):
                    layer.eval()

    def _tell(self) -> None:
        """Tell of the steps done, where that was not just now: no accelerator is waited for."""
        if self._callbacks and time.perf_counter() - self._told >= _TELL_EVERY:
            for callback in self._callbacks:
                callback.on_step_end(self.step, self.n_steps)
            self._told = time.perf_counter()

    @property
    def _show_every(self) -> int:
        """Steps between two looks that callbacks have at the weights; of few epochs, several in each."""
        n_looks = max(1, _LOOKS // self.plan.epochs) if self.plan.decay else 1
        return -(-self.batches.n_batches // n_looks)

    def show_weights(self) -> None:
        """Let callbacks encode with the network as it is."""
        # Going to evaluation and back costs a little: only for those who look.
        looking = [one for one in self._callbacks if type(one).on_weights is not Callback.on_weights]
        if self._encode is not None and looking:
            self.learned.eval()
            for callback in looking:
                callback.on_weights(self.step / self.batches.n_batches, self._encode)

    def _step(self, batch: Batch, stop_wanted: Callable[[], bool]) -> tuple[Tensor, bool]:
        """Go one step down the objective's gradient; the loss before it, and whether to stop after it."""
        self.last_rate = self.rate
        self.optimizer.lr = self.last_rate
        with self._autocast, _own_numbers(batch) if self.module.is_foreign else nullcontext():
            loss: Tensor = self.objective(self.module, batch, self.step / self.n_steps if self.plan.decay else 1.0)
        self.optimizer.zero_grad()
        loss = loss if batch.share is None else loss * batch.share.weight
        torch.autograd.backward(loss)
        found = self.batches.ranks.add_up(self.learned.parameters(), loss.detach(), stop=stop_wanted())
        self.optimizer.step()
        return found

    def _look_at(self, pending: list[Tensor]) -> None:
        """Add up the losses of some steps, and notice where they make no sense."""
        losses = torch.stack(pending).tolist()
        pending.clear()
        if self.first_loss is None:
            self.first_loss = losses[0] / self.plan.batch_size
        limit = _EXPLODED * max(abs(self.first_loss), 1.0) * self.batches.n_train
        for loss in losses:
            if not abs(loss) <= limit:  # also where it is not a number
                raise _DivergedError(loss / self.plan.batch_size)
            self.loss_sum += loss

    def end_epoch(self) -> None:
        """Judge the epoch, record it, and keep the weights if they are the best so far."""
        train_loss = self.loss_sum / self.batches.n_train
        losses = validate(self.module, self.batches, self.objective)
        valid_loss = None if losses is None else float(losses.mean())
        record = EpochRecord(self.epoch, train_loss, valid_loss, self.last_rate, self.seconds)
        if math.isfinite(record.loss) and self._is_best(record, losses):
            self.best_epoch, self.best_weights = record.epoch, _copy(self.learned)
        self.history.append(record)
        self.epoch, self.batch, self.loss_sum = self.epoch + 1, 0, 0.0

    def _is_best(self, record: EpochRecord, losses: Tensor | None) -> bool:
        """Whether an epoch is better than those before; than the start, by more than the noise of few samples."""
        if self.best_epoch:
            return record.loss <= self.history[self.best_epoch - 1].loss
        if self.start is None:
            return True
        if losses is not None and self._start_losses is not None:
            gains = self._start_losses - losses
            noise = gains.std() / len(gains) ** 0.5 if len(gains) > 1 else 0.0  # of one sample nothing is known
            if not gains.mean() > _NOISE * noise:
                return False
        # Outliers may all be in the training part; what an epoch came to on its way is not what its weights end with.
        return record.train_loss < self.start.train_loss and self._present_loss() < self.start.train_loss

    def recover(self, loss: float) -> None:
        """Begin the present epoch again from the last good weights, at a lower rate; a second time, give up."""
        rate, n = self.plan.learning_rate, self.best_epoch
        what = f"training diverged in epoch {self.epoch}: the loss is {loss:g}"
        if self.rate_scale < 1:
            self.problem = (
                f"{what}, at a third of the learning rate too. {f'The weights of epoch {n} are kept. ' if n else ''}"
                f"Lower learning_rate (now {rate:g}), for instance to {rate * _LOWER**2:.1g}, and look for extreme "
                "values in the data."
            )
            return
        warn(
            f"{what}; going on from {f'the weights of epoch {n}' if n else 'the beginning'} at a third of the "
            f"learning rate. Lower learning_rate (now {rate:g}), for instance to {rate * _LOWER:.1g}."
        )
        self.rate_scale = _LOWER
        self.learned.load_state_dict(self.best_weights)
        if not n and self.start is not None:
            self.module.leave_start()
        self.optimizer = self._new_optimizer()
        self.batch, self.loss_sum = 0, 0.0

    def result(self) -> TrainingResult:
        """What is left of the run."""
        early = self.stopped_early and len(self.history) < self.plan.epochs
        problem = self.problem
        if problem is None and self.best_epoch == 0 and self.start is None:
            problem = (
                f"training found nothing to keep: the validation loss was {self.history[-1].loss:g} after each of "
                f"{len(self.history)} epochs. Look for extreme values in the data, or lower learning_rate (now "
                f"{self.plan.learning_rate:g})."
            )
        own = {f"objective.{name}": value for name, value in self.objective.state_dict().items()}
        state = {**self.optimizer.state_dict(), **own}
        return TrainingResult(self.plan, tuple(self.history), self.best_epoch, state, early, problem, self.start)

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here."""
        tensors = {f"learned.{name}": value for name, value in self.learned.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best_weights.items()}
        tensors |= {f"optimizer.{name}": value for name, value in self.optimizer.state_dict().items()}
        facts = {name: getattr(self, name) for name in _FACTS}
        history = [record.as_dict() for record in self.history]
        return Snapshot(tensors, facts | {"seconds": self.seconds, "history": history})

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to where a snapshot was taken; `CheckpointError` if it is one of another network."""
        try:
            self.learned.load_state_dict(snapshot.part("learned"))
            self.optimizer.load_state_dict(snapshot.part("optimizer"))
            best = snapshot.part("best")
            for name, value in self.best_weights.items():
                value.copy_(best[name])
            for name, kind in _FACTS.items():
                setattr(self, name, snapshot.fact(name, kind))
            self.history = [EpochRecord(**row) for row in snapshot.fact("history", list)]
            self._seconds, self._start = snapshot.fact("seconds", float), time.perf_counter()
        except (KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint does not fit this run ({words_of(error)}). Start over.") from error


class _DivergedError(Exception):
    """The loss, its only argument, is not a number or has exploded."""


@contextmanager
def _own_numbers(batch: Batch) -> Iterator[None]:
    """Let layers such as dropout draw PyTorch's random numbers by the batch's seed, and the caller's go on after."""
    with torch.random.fork_rng([batch.x.device] if batch.x.is_cuda else []):
        torch.manual_seed(batch.generator.initial_seed())
        yield


def _copy(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's weights."""
    return {name: value.clone() for name, value in module.state_dict().items()}


@torch.no_grad()
def validate(module: AutoencoderModule, batches: Batches, objective: Objective) -> Tensor | None:
    """Return the losses of the validation part's samples (n,) in float64, or None where there is none."""
    module.eval()
    objective.eval()
    losses = [objective.each(module, batch).cpu().double() for batch in batches.validation(objective)]
    # Every process measures the same; all go by what the first one found.
    return batches.ranks.same(torch.cat(losses)) if losses else None
