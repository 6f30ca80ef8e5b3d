"""The Stepper: a run, walked through forward and back with buttons and a slider.

It decides nothing: it goes to a step and shows the scene there. The machine stands at that step, too.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from numakit.timeline.run import Run
from numakit.widgets import picture
from numakit.widgets.scene import Scene, scene

BUTTONS = (("first", "|◀ First"), ("back", "◀ Back"), ("forward", "Forward ▶"), ("last", "Last ▶|"))


class Stepper(widgets.VBox):  # type: ignore[misc]
    """A widget for a recorded run, or for one under way: ``Stepper(machine.record(shell.move_pages, ...))``.

    It begins at the step at which the run stands. Forward at the end of a run that has not ended lets the next task
    act. Whoever looks at the machine while the Stepper shows a step sees that step; ``machine.present()`` returns to
    now. Raises RuntimeError for a run that was not recorded. Where there is no kernel, its output is a picture.
    """

    def __init__(self, run: Run[Any]) -> None:
        self.run = run
        self.scene: Scene = scene(run, run.position)
        self.buttons = {name: widgets.Button(description=text, tooltip=f"{name} step") for name, text in BUTTONS}
        for name, button in self.buttons.items():
            button.add_class(f"numakit-{name}")
            button.on_click(getattr(self, f"_{name}"))
            button.layout.width = "auto"
        self.slider = widgets.IntSlider(
            self.scene.position, 0, self.scene.length, description="Step", readout=False, layout={"flex": "1 1 12rem"}
        )
        self.slider.add_class("numakit-slider")
        self.view = widgets.HTML()
        self.view.add_class("numakit-view")
        self.note = widgets.HTML()
        self.note.add_class("numakit-note")
        self.moments = widgets.HTML()
        controls = widgets.HBox([*self.buttons.values(), self.slider], layout={"flex_flow": "row wrap"})
        super().__init__(
            [widgets.HTML(f"<style>{picture.style()}</style>"), controls, self.view, self.note, self.moments]
        )
        self.add_class("numakit-stepper")
        self.slider.observe(self._slid, "value")
        self._draw()

    @property
    def position(self) -> int:
        """How many steps of the run have been made in what is shown."""
        return self.scene.position

    def show(self, step: int) -> None:
        """Show the run when so many of its steps have been made. Raises what ``run.goto(step)`` raises."""
        self.scene = scene(self.run, step)
        self._draw()

    def text(self) -> str:
        """What the widget shows, in words."""
        return picture.text(self.scene)

    def static_html(self) -> str:
        """What the widget shows, as a picture for where there is no kernel."""
        return picture.static_html(self.scene)

    # -- the controls

    def _first(self, _: Any) -> None:
        self._try(0)

    def _back(self, _: Any) -> None:
        self._try(max(0, self.position - 1))

    def _forward(self, _: Any) -> None:
        if self.position == len(self.run) and any(task.released and not task.done for task in self.run.tasks):
            self.run.goto(self.position).forward()
        self._try(min(self.position + 1, len(self.run)))

    def _last(self, _: Any) -> None:
        self._try(len(self.run))

    def _slid(self, change: Any) -> None:
        if change["new"] != self.position:
            self._try(change["new"])

    def _try(self, step: int) -> None:
        """Show a step; a run whose journal was given up meanwhile says so in place of the picture."""
        try:
            self.show(step)
        except RuntimeError as error:
            self.view.value = f"<p>{error}</p>"

    def _draw(self) -> None:
        shown = self.scene
        self.slider.max, self.slider.value = shown.length, shown.position
        self.view.value, self.moments.value = picture.html(shown), picture.moments_html(shown)
        past = self.run.machine.in_the_past
        self.note.value = (
            "The machine stands at this step; <code>machine.present()</code> returns to now." if past else ""
        )

    # -- where there is no kernel

    def __repr__(self) -> str:
        return f"<Stepper of {picture.headline(self.scene)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": self.text(), "text/html": self.static_html()}, metadata
