import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from latentmap import Autoencoder
from latentmap.models.modes import threads
from latentmap.training import Callback, TrainingInterrupted
from latentmap.training.runtime import deferred_interrupts, side_by_side, stop_if_told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_handlers_come_back(number):
    former = signal.getsignal(number)
    with deferred_interrupts() as came:
        assert not came()
        os.kill(os.getpid(), number)
        assert came()
        assert signal.getsignal(number) is former  # a second one acts as always
    assert signal.getsignal(number) is former


def test_a_second_ctrl_c_acts_at_once():
    def twice():
        with deferred_interrupts():
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()


def test_handlers_come_back_after_an_error():
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), deferred_interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is former


def test_in_another_thread_nothing_is_handled():
    answers = []

    def work():
        with deferred_interrupts() as came:
            answers.append(came())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]


def test_a_handler_that_came_from_c_is_left_alone(monkeypatch):
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    found = {**former, signal.SIGTERM: None}
    monkeypatch.setattr(signal, "getsignal", found.__getitem__)
    with deferred_interrupts() as came:
        os.kill(os.getpid(), signal.SIGINT)
        assert came()
    monkeypatch.undo()
    assert {number: signal.getsignal(number) for number in former} == former


def test_two_tasks_are_done_at_a_time_each_with_half_of_the_threads():
    both = threading.Barrier(2)

    def task(name):
        both.wait(10)  # for the other one
        return name, torch.get_num_threads()

    with threads(4):
        assert side_by_side([lambda name=name: task(name) for name in "abcd"]) == [(name, 2) for name in "abcd"]
        assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("n_threads", "at_a_time"), [(1, 2), (2, 1)])
def test_with_one_thread_tasks_are_done_in_turn(n_threads, at_a_time):
    with threads(n_threads):
        assert side_by_side(2 * [threading.get_ident], at_a_time=at_a_time) == 2 * [threading.get_ident()]


class Tells(Callback):
    """Says when training has begun."""

    def __init__(self):
        self.begun = threading.Event()

    def on_weights(self, *_):
        self.begun.set()


def endless(tells):
    return Autoencoder("dense", 2, epochs=10**6, callbacks=[tells])


def test_an_error_of_one_stops_the_others_and_is_told():
    X, tells, left = np.random.default_rng(0).random((100, 5)), Tells(), []

    def fails():
        tells.begun.wait(10)
        raise ZeroDivisionError

    with threads(2), pytest.raises(ZeroDivisionError):
        side_by_side([lambda: endless(tells).fit(X), fails, lambda: left.append(1)])
    assert not left


def test_ctrl_c_stops_all_and_checkpoints_are_saved(tmp_path):
    X, one, two = np.random.default_rng(0).random((100, 5)), Tells(), Tells()

    def presses():
        for tells in (one, two):
            tells.begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=presses)
    thread.start()
    with threads(2), pytest.raises(KeyboardInterrupt):
        side_by_side([lambda: endless(one).fit(X, checkpoint=tmp_path / "one"), lambda: endless(two).fit(X)])
    thread.join()
    with pytest.raises(TrainingInterrupted):  # where one thread does them all
        side_by_side([lambda: interrupted(tmp_path / "one", X)])


def interrupted(checkpoint, X):
    class Presses(Callback):
        def on_step_end(self, step, _):
            assert step > 1  # it goes on from the checkpoint
            os.kill(os.getpid(), signal.SIGINT)

    Autoencoder("dense", 2, epochs=10**6, callbacks=[Presses()]).fit(X, checkpoint=checkpoint, resume=True)


def test_ctrl_c_stops_what_is_no_training_where_it_may_and_a_second_one_waits_for_nothing():
    left, goes_on = [], threading.Event()

    def polls():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            stop_if_told()
            time.sleep(0.01)
        left.append("polled in vain")

    with threads(2), pytest.raises(KeyboardInterrupt):
        side_by_side([polls, lambda: goes_on.wait(0.5), lambda: left.append("begun")])

    def presses_twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)  # two at once are one
        goes_on.wait(20)

    start = time.perf_counter()
    with threads(2), pytest.raises(KeyboardInterrupt):
        side_by_side([presses_twice, lambda: goes_on.wait(20)])
    assert time.perf_counter() - start < 10
    goes_on.set()
    assert not left


def test_other_libraries_share_the_threads_too():
    def of_blas():
        return max((one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"), default=1)

    before = of_blas()
    with threads(2):
        assert side_by_side([of_blas, of_blas]) == [1, 1]
    assert of_blas() == before
