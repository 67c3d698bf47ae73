import os
import signal
import threading

import pytest

from latentmap.training.runtime import deferred_interrupts


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
