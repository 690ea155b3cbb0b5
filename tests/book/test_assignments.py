"""The exercises as assignments: full marks for the solution, none for a blank, the right message for each mistake."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import replace

import nbformat
import pytest
import yaml
from nbgrader.api import Gradebook
from scratch_book import source, write_book

import assignments
from answers import Attempt, try_answers
from assignments import AssignmentError
from chapter import ROOT, blank, chapter_paths, read_chapter

CHAPTERS = [path.stem for path in chapter_paths() if read_chapter(path).graded]
COHORT = 7
"""What nbgrader grades here."""
OTHERS = (0, 1)
"""Other cohorts, whose answers are tried without it."""
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(autouse=True)
def same_process_as_before():
    """The course's configuration sets the environment of the kernels that nbgrader starts."""
    environment, path = dict(os.environ), list(sys.path)
    yield
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path


def grade(course, student, chapter, notebook):
    """Hand in a notebook, let nbgrader grade it, and return the points of each check and what nbgrader said."""
    path = course / "submitted" / student / chapter / f"{chapter}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
    api = assignments.course_api(course)
    result = api.autograde(chapter, student)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "minigpt") as gradebook:
        submission = gradebook.find_submission_notebook(chapter, chapter, student)
        points = {grade.name.removesuffix("-check"): grade.auto_score for grade in submission.grades}
    return points, result


# The chapters themselves


@pytest.fixture(scope="module")
def chapters():
    """The source cells of every chapter."""
    return assignments.sources(cohort=COHORT)


@pytest.fixture(scope="module")
def attempts():
    """By cohort, chapter and exercise: what grading runs for the reference solution."""
    sources = {cohort: assignments.sources(cohort=cohort) for cohort in (COHORT, *OTHERS)}
    return {
        cohort: {name: assignments.attempts(cells) for name, cells in chapters.items()}
        for cohort, chapters in sources.items()
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory, chapters):
    """A course with all chapters, built as `make assignments` builds it."""
    folder = tmp_path_factory.mktemp("course")
    assignments.build(folder, chapters)
    return folder


@pytest.mark.parametrize("name", CHAPTERS)
def test_nbgrader_gives_the_reference_solutions_full_marks(course, chapters, name):
    text = (course / "source" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    points, result = grade(course, "full", name, text)
    wanted = {
        cell["id"].removesuffix("-check"): cell["metadata"]["nbgrader"]["points"] for cell in checks(chapters[name])
    }
    assert result["success"], result["log"]
    assert points == wanted


@pytest.mark.parametrize("name", CHAPTERS)
def test_nbgrader_gives_the_blank_release_no_points(course, chapters, name):
    text = (course / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    points, result = grade(course, "blank", name, text)
    assert result["success"], result["log"]
    assert points == {cell["id"].removesuffix("-check"): 0 for cell in checks(chapters[name])}


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_release_shows_no_solution_and_no_hidden_test(course, chapters, name):
    release = (course / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    assert "HIDDEN TESTS" not in release
    assert "SOLUTION" not in release
    with zipfile.ZipFile(course / f"{name}.zip") as archive:
        assert archive.namelist() == [f"{name}/{name}.ipynb"]
        assert archive.read(f"{name}/{name}.ipynb").decode() == release
    for cell in nbformat.reads(release, as_version=4).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert "...  # your answer here" in cell.source


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_reference_solution_alone_passes_its_check_in_other_cohorts(attempts, name):
    tried = [(cohort, label, attempt) for cohort in OTHERS for label, attempt in attempts[cohort][name].items()]
    for (cohort, label, _), outcome in zip(tried, try_answers([attempt for *_, attempt in tried]), strict=True):
        assert outcome.passed, f"{label}, cohort {cohort}: {outcome}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_blank_answer_is_told_what_is_missing(attempts, name):
    tried = {
        label: Attempt(attempt.setup, blank(attempt.answer), attempt.check)
        for label, attempt in attempts[COHORT][name].items()
    }
    for label, outcome in zip(tried, try_answers(list(tried.values())), strict=True):
        assert (outcome.where, outcome.error) == ("check", "AssertionError"), f"{label}: {outcome}"
        assert len(outcome.message.split()) > 2, f"{label}: {outcome}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_planted_wrong_answer_fails_with_the_message_meant_for_it(attempts, name):
    planted = yaml.safe_load((ROOT / "assignments" / "wrong_answers" / f"{name}.yml").read_text(encoding="utf-8"))
    assert set(planted) == set(attempts[COHORT][name]), (
        "every graded exercise has wrong answers, and no other label has"
    )
    cohorts = itertools.cycle((COHORT, *OTHERS))  # each answer in one
    wrong = [(next(cohorts), label, answer) for label in planted for answer in planted[label]]
    tried = [replace(attempts[cohort][name][label], answer=answer["answer"]) for cohort, label, answer in wrong]
    for (cohort, label, answer), outcome in zip(wrong, try_answers(tried), strict=True):
        assert (outcome.where, outcome.error) == ("check", "AssertionError"), f"{label}, cohort {cohort}: {outcome}"
        assert answer["message"] in outcome.message, f"{label}, cohort {cohort}"


def test_the_syllabus_has_every_chapter_and_the_minutes_of_its_exercises():
    page = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\| [0-9]+ \|.*", page, re.M)]
    plan = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text(encoding="utf-8"))
    assert [(int(row[0]), row[1]) for row in rows] == [
        (chapter["number"], chapter["title"]) for part in plan for chapter in part["chapters"]
    ]
    for path in chapter_paths():
        chapter = read_chapter(path)
        prompts = [exercise.prompt for exercise in chapter.graded]
        minutes = sum(int(re.search(r"([0-9]+) minutes", prompt)[1]) for prompt in prompts)
        assert rows[chapter.number - 1][-1] == f"{minutes} min", path.name


def test_the_variant_on_the_page_for_instructors_works(tmp_path):
    page = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    example = textwrap.dedent(re.search(r"^  ```yaml\n(.*?)^  ```$", page, re.M | re.S)[1])
    (tmp_path / "ex-machines-softmax.yml").write_text(example, encoding="utf-8")
    cells = assignments.sources(private=tmp_path)["01-machines"]
    assert "temperature" in next(cell["source"] for cell in cells if cell["id"] == "ex-machines-softmax")
    assert assignments.failing_solutions(cells) == []


def checks(cells):
    return [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade")]


# The machinery, on a small book


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small book and its course, in which a cell may take two seconds."""
    book = write_book(tmp_path_factory.mktemp("book"))
    folder = book / "course"
    folder.mkdir()
    config = (ROOT / "assignments" / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config + "\nc.Execute.timeout = 2\n", encoding="utf-8")
    assignments.build(folder, assignments.sources(book, COHORT))
    return book


@pytest.fixture
def release(small):
    """The small book's release, ready to be filled in."""
    path = small / "course" / "release" / "01-machines" / "01-machines.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))


def fill(notebook, **answers):
    """Write answers into the cells of these ids (with _ for -)."""
    for cell in notebook["cells"]:
        if (name := cell["id"].replace("-", "_")) in answers:
            cell["source"] = answers[name]
    return notebook


def test_a_chapter_without_graded_exercises_has_no_assignment(small):
    assert sorted(assignments.sources(small)) == ["01-machines"]


def test_prompts_are_plain_markdown_with_the_numbers_of_the_page(release):
    prompt = next("".join(cell["source"]) for cell in release["cells"] if cell["id"] == "ex-machines-double-prompt")
    assert prompt.startswith("## Exercise 1.1: Twice as much\n\n**Difficulty 2 of 5 · 10 minutes**\n\n")
    assert "as in (1.1)." in prompt
    assert "<summary>Hint</summary>" in prompt


@pytest.mark.parametrize(
    "answer",
    [
        "while True:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "import os\n\n\ndef double(x):\n    os._exit(0)",
    ],
    ids=["a loop", "a loop that cannot be interrupted", "an answer that ends Python"],
)
def test_an_answer_that_never_ends_or_ends_python_costs_only_its_own_exercise(small, release, answer):
    fill(release, ex_machines_double=answer, ex_machines_guess="guess = cohort + 3")
    points, result = grade(small / "course", "loop", "01-machines", release)
    assert result["success"], result["log"]
    assert points == {"ex-machines-double": 0, "ex-machines-guess": 1}


def test_a_changed_check_a_changed_cohort_and_changed_points_are_put_back(small, release):
    fill(release, ex_machines_double_check="pass", setup="cohort = 0", ex_machines_guess="guess = cohort + 3")
    for cell in release["cells"]:
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = 100
    points, result = grade(small / "course", "tamper", "01-machines", release)
    assert result["success"], result["log"]
    assert points == {"ex-machines-double": 0, "ex-machines-guess": 1}


def test_deleted_checks_and_a_deleted_set_up_come_back(small, release):
    fill(release, ex_machines_guess="guess = cohort + 3")
    release["cells"] = [cell for cell in release["cells"] if cell["id"] == "ex-machines-guess"]
    points, result = grade(small / "course", "delete", "01-machines", release)
    assert result["success"], result["log"]
    assert points == {"ex-machines-double": 0, "ex-machines-guess": 1}


def test_a_set_up_that_came_back_also_runs_after_an_answer_that_ends_python(small, release):
    fill(release, ex_machines_double="import os\nos._exit(0)", ex_machines_guess="guess = cohort + 3")
    release["cells"] = [cell for cell in release["cells"] if cell["id"] != "setup"]
    points, result = grade(small / "course", "delete", "01-machines", release)
    assert result["success"], result["log"]
    assert points == {"ex-machines-double": 0, "ex-machines-guess": 1}


def test_an_answer_made_for_another_cohort_fails(small, release):
    points, _ = grade(small / "course", "copy", "01-machines", fill(release, ex_machines_guess="guess = 0 + 3"))
    assert points["ex-machines-guess"] == 0


def test_a_warning_during_the_check_costs_nothing(small, release):
    answer = (
        "import sys\nimport warnings\n\n\ndef double(x):\n    warnings.warn('slow')\n"
        "    print(x, file=sys.stderr)\n    return x + x"
    )
    points, _ = grade(small / "course", "warning", "01-machines", fill(release, ex_machines_double=answer))
    assert points["ex-machines-double"] == 2


def test_feedback_has_the_message_and_not_the_hidden_tests(small, release):
    answer = "def double(x):\n    return 2 * x if x < 10 else 1 / 0"
    release["cells"].append(
        {"cell_type": "code", "id": "peek", "metadata": {}, "outputs": [], "execution_count": None}
        | {"source": "print(In)\nIn[3]"}
    )
    fill(release, ex_machines_double=answer, ex_machines_guess="guess = 1")
    course = small / "course"
    points, _ = grade(course, "peek", "01-machines", release)
    assert points == {"ex-machines-double": 0, "ex-machines-guess": 0}
    graded = (course / "autograded" / "peek" / "01-machines" / "01-machines.ipynb").read_text(encoding="utf-8")
    assert "1000 + cohort" in graded
    result = assignments.course_api(course).generate_feedback("01-machines", "peek")
    assert result["success"], result["log"]
    page = (course / "feedback" / "peek" / "01-machines" / "01-machines.html").read_text(encoding="utf-8")
    assert "add 3 to the cohort" in page
    assert "ZeroDivisionError" in page
    assert "twice 2 is 4" in page
    for secret in ("1000", "2000", "it must work for large numbers", "HIDDEN TESTS"):
        assert secret not in page.partition("<body>")[2]


def test_building_again_gives_the_same_files_and_keeps_the_grades(small):
    course = small / "course"
    files = [course / "01-machines.zip", course / "release" / "01-machines" / "01-machines.ipynb"]
    before = [path.read_bytes() for path in files]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "minigpt") as gradebook:
        students = [student.id for student in gradebook.students]
    assignments.build(course, assignments.sources(small, COHORT))
    assert [path.read_bytes() for path in files] == before
    assert "c.Execute.timeout = 2" in (course / "nbgrader_config.py").read_text(encoding="utf-8")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "minigpt") as gradebook:
        assert [student.id for student in gradebook.students] == students


def test_tests_that_answers_were_handed_in_for_do_not_change_unasked(small, tmp_path):
    course = tmp_path / "course"
    assignments.build(course, assignments.sources(small, 7))
    assignments.build(course, assignments.sources(small, 8))  # nobody has handed in anything
    handed_in = course / "submitted" / "ada" / "01-machines" / "01-machines.ipynb"
    handed_in.parent.mkdir(parents=True)
    handed_in.write_bytes((course / "release" / "01-machines" / "01-machines.ipynb").read_bytes())
    assignments.build(course, assignments.sources(small, 8))
    with pytest.raises(AssignmentError, match="answers to 01-machines have been handed in"):
        assignments.build(course, assignments.sources(small, 7))
    assert "cohort = 8" in source(course / "source" / "01-machines" / "01-machines.ipynb", "setup")
    assignments.build(course, assignments.sources(small, 7), force=True)
    assert "cohort = 7" in source(course / "source" / "01-machines" / "01-machines.ipynb", "setup")


@pytest.mark.parametrize("what", ["--course", "--private"])
def test_what_belongs_to_a_class_stays_out_of_the_repository(what, capsys):
    if not (ROOT / ".git").exists():
        pytest.skip("this copy is no repository")
    assert assignments.main([what, str(ROOT / "mine")]) == 1
    assert f"{what.strip('-').upper()}={ROOT / 'mine'} lies in the repository" in capsys.readouterr().err
    assert not (ROOT / "mine").exists()


def test_private_files_take_the_place_of_prompts_tests_and_points(small, tmp_path):
    (tmp_path / "ex-machines-double.py").write_text('assert double(-3) == -6, "negative numbers too"\n', "utf-8")
    (tmp_path / "ex-machines-guess.yml").write_text(
        "title: Another\nprompt: See {eq}`eq-machines-line`.\npoints: 5\n", "utf-8"
    )
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    course = tmp_path / "course"
    assignments.build(course, assignments.sources(small, 3, tmp_path))
    path = course / "source" / "01-machines" / "01-machines.ipynb"
    check = source(path, "ex-machines-double-check")
    assert "double(-3)" in check
    assert "1000" not in check
    assert "twice 2 is 4" in check
    assert source(path, "ex-machines-guess-prompt") == "## Exercise 1.2: Another\n\nSee (1.1)."
    assert "cohort = 3" in source(path, "setup")
    release = (course / "release" / "01-machines" / "01-machines.ipynb").read_text(encoding="utf-8")
    assert "double(-3)" not in release
    assert '"points": 5' in release


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "ex-machines-none.py",
            "pass",
            "ex-machines-none.py: no exercise has this label; there are ex-machines-double",
        ),
        ("ex-machines-guess.yml", "hint: x", "must be a mapping with some of the keys title, prompt"),
        ("ex-machines-guess.yml", "points: many", "points is 'many'; expected a number"),
        ("ex-machines-guess.yml", "solution: guess = 4", "must stand between ### BEGIN SOLUTION and ### END SOLUTION"),
    ],
)
def test_a_private_file_that_fits_nothing_is_an_error(small, tmp_path, name, text, message):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(AssignmentError) as error:
        assignments.sources(small, 0, tmp_path)
    assert message in str(error.value)


def test_hidden_tests_that_are_given_twice_are_an_error(small, tmp_path):
    (tmp_path / "ex-machines-guess.py").write_text("assert guess", "utf-8")
    (tmp_path / "ex-machines-guess.yml").write_text("hidden: assert guess", "utf-8")
    with pytest.raises(AssignmentError, match="give hidden; keep one"):
        assignments.sources(small, 0, tmp_path)


def test_a_reference_solution_that_fails_stops_the_release(small, tmp_path, capsys):
    (tmp_path / "ex-machines-double.py").write_text('assert double(1) == 3, "wrong test"', "utf-8")
    course = tmp_path / "course"
    arguments = ["--root", str(small), "--course", str(course), "--private", str(tmp_path)]
    assert assignments.main(arguments) == 1
    assert "ex-machines-double: the reference solution fails in its check: AssertionError: wrong test" in (
        capsys.readouterr().err
    )
    assert not course.exists()


@pytest.mark.parametrize("arguments", [["--cohort", "-1"], ["--private", "nowhere"]])
def test_a_wrong_argument_is_an_error(small, tmp_path, arguments, capsys):
    assert assignments.main(["--root", str(small), "--course", str(tmp_path / "course"), *arguments]) == 1
    assert "assignments: " in capsys.readouterr().err


def test_the_command_works_from_any_folder(small, tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "assignments.py"), "--root", str(small), "--course", "mine"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "01-machines.zip: 2 exercises, 3 points, cohort 0" in done.stdout
    assert (tmp_path / "mine" / "01-machines.zip").is_file()


def test_an_answer_may_end_in_any_way():
    tried = try_answers(
        [
            Attempt("x = 1", "y = x", "assert y == 1"),
            Attempt("", "raise SystemExit('bye')", ""),
            Attempt("", "def f(:", ""),
            Attempt("", "", "assert x, 'x of another attempt'"),
        ]
    )
    assert [(outcome.passed, outcome.error, outcome.where) for outcome in tried] == [
        (True, "", ""),
        (False, "SystemExit", "answer"),
        (False, "SyntaxError", "answer"),
        (False, "NameError", "check"),
    ]
    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        try_answers([Attempt("", "import os; os._exit(3)", "")])
