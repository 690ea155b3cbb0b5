"""What this course adds to nbgrader's grading: four steps that nbgrader_config.py puts in their places."""

import json
import re

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked

HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[ \t]*$\n?", re.M | re.S)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LEFT_OUT = "[left out: it shows hidden tests]"


class RestoreCells(NbGraderPreprocessor):
    """Put back the checks, and the set-up cell, that a student deleted.

    A deleted check would leave its exercise without a grade. (nbgrader's own option for this fails when the answer
    above the check is gone too.) The sources come from the gradebook in the step that follows.
    """

    def preprocess(self, nb, resources):
        course = resources["nbgrader"]
        present = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells}
        with Gradebook(course["db_url"]) as gradebook:
            notebook = gradebook.find_notebook(course["notebook"], course["assignment"])
            points = {cell.name: cell.max_score for cell in notebook.grade_cells}
            for source in notebook.source_cells:
                if not source.locked or source.name in present:
                    continue
                self.log.warning("cell %s was deleted; it comes back", source.name)
                cell = new_code_cell(source.source)
                cell.metadata["nbgrader"] = {
                    "grade": source.name in points,
                    "grade_id": source.name,
                    "locked": True,
                    "schema_version": 3,
                    "solution": False,
                    "task": False,
                }
                if source.name in points:
                    cell.metadata["nbgrader"]["points"] = points[source.name]
                nb.cells.insert(len(nb.cells) if source.name in points else 0, cell)
        return nb, resources


class ExecuteEach(Execute):
    """Run all cells; one that ends Python, or that nothing can interrupt, costs its own exercise and no other."""

    def preprocess_cell(self, cell, resources, index):
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
            ended = self.error_on_timeout["ename"] in [output.get("ename") for output in cell.get("outputs", [])]
        except (CellTimeoutError, DeadKernelError):
            said = "this cell ended Python, or could not be stopped"
            cell.outputs.append(
                new_output("error", ename="RuntimeError", evalue=said, traceback=[f"RuntimeError: {said}"])
            )
            ended = True
        if ended:
            self.log.warning("cell %s ended badly; the rest is graded in a new kernel", index + 1)
            self.start_again()
        return cell, resources

    def start_again(self):
        """A new kernel in which the set-up has been run."""
        self._cleanup_kernel()
        self.km = self.create_kernel_manager()
        self.start_new_kernel()
        self.start_new_kernel_client()
        for index, cell in enumerate(self.nb.cells):
            if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("setup-"):
                self.execute_cell(cell, index)


class CountErrorsAlone(NbGraderPreprocessor):
    """Leave out what a check writes to the standard error, which nbgrader would take for a failure."""

    def preprocess_cell(self, cell, resources, index):
        if is_grade(cell):
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        return cell, resources


class HideHiddenTests(NbGraderPreprocessor):
    """Leave the hidden tests out of the feedback: out of the checks, their tracebacks, and whatever was printed.

    This keeps them from whoever answers in good faith. Code that is written to carry them off, in disguise, can.
    """

    def preprocess(self, nb, resources):
        shown = {line.strip() for cell in nb.cells for line in HIDDEN.sub("", cell.source).splitlines()}
        hidden = {
            line.strip() for cell in nb.cells for test in HIDDEN.findall(cell.source) for line in test.splitlines()
        }
        secrets = {line for line in hidden - shown if len(line) > 5}
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [self.without(output, secrets, cell) for output in cell.outputs]
            cell.source = HIDDEN.sub("", cell.source).rstrip("\n")
        return nb, resources

    def without(self, output, secrets, cell):
        """An output that holds none of the secret lines."""
        if output.output_type == "error":
            if is_locked(cell):
                # The frames of the check itself show the lines around the one that failed.
                own = f"Cell In[{cell.execution_count}], line "
                output.traceback = [frame for frame in output.traceback if own not in COLOUR.sub("", frame)]
            output.traceback = [frame for frame in output.traceback if not shows(frame, secrets)]
            output.evalue = LEFT_OUT if shows(output.evalue, secrets) else output.evalue
            return output
        if shows(json.dumps(output, ensure_ascii=False), secrets):
            if output.output_type == "stream":
                output.text = LEFT_OUT
            else:
                output.data = {"text/plain": LEFT_OUT}
        return output


def shows(text, secrets):
    """Whether a text holds one of the lines, also as it stands inside JSON."""
    text = COLOUR.sub("", text)
    return any(line in text or json.dumps(line, ensure_ascii=False)[1:-1] in text for line in secrets)
