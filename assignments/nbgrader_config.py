"""How nbgrader releases and grades the course's exercises; nbgrader reads this file in the course's folder."""

import os
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parent
sys.path.insert(0, str(COURSE))

# nbgrader calls a program that was installed beside it, also where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.root = str(COURSE)
c.CourseDirectory.course_id = "minigpt"
c.CourseDirectory.db_url = f"sqlite:///{COURSE / 'gradebook.db'}"

# Release: what a student finds in place of a solution.
c.ClearSolutions.code_stub = {"python": "...  # your answer here"}

# Grading: a cell that takes longer than so many seconds is stopped, and its check gets no points.
c.Execute.timeout = 60
c.Execute.shutdown_kernel = "immediate"
c.Execute.error_on_timeout = {
    "ename": "TimeoutError",
    "evalue": "this cell took too long and was stopped",
    "traceback": ["TimeoutError: this cell took too long and was stopped"],
}
os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="agg", PYTHONWARNINGS="ignore")
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "grading.RestoreCells",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grading.ExecuteEach",
    "grading.CountErrorsAlone",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.LimitOutput.max_lines = 100
c.LimitOutput.max_traceback = 30

# Feedback: the message of a failed check, without its hidden tests.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "grading.HideHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
