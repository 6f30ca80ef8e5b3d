"""The judge: hidden tests on one side of a pipe, a student's code on the other.

    grader (nbgrader, `numakit grade`)   writes marks, reads nobody's word but the judge's
      judge       (trial.py)             holds hidden tests and all machines; one process for each submission
        student   (student.py)           another user, an empty folder, little memory: runs the submitted cells

A hidden test is the cell that it always was. It runs in the judge, where the student's functions are stand-ins: a call
goes through the pipe as JSON, and what comes back is a number, a list, a function to be called again - a value, never
a verdict. What the test hands over goes the same way: plain values and whatever cannot change are copied, machines and
processes stay with the judge and are asked for.

values.py     values as JSON, and back
peer.py       one end of the pipe: calls, answers, stand-ins
exposed.py    what of the judge's things a submission may use
confine.py    limits, and as whom a submission runs
student.py    the student's process
exercise.py   a submission as the judge gets it: whose cell is which
trial.py      the judge's process
grader.py     starts judges, one for each submission, and counts
"""
