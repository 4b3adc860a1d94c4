"""From an upload to a skill: files in one folder, or one archive of them.

Where the skill is then kept is not known here.
"""

from __future__ import annotations

from routeiq_skills.store.frontmatter import frontmatter_of
from routeiq_skills.store.limits import SKILL_MD, BadSkill
from routeiq_skills.store.paths import check_path, is_litter, shown
from routeiq_skills.store.skill import Skill, skill_of
from routeiq_skills.uploads.form import Form
from routeiq_skills.uploads.unpacking import is_zip, unzipped


def skill_in(form: Form) -> Skill:
    """The skill that was uploaded. Raises `BadSkill`."""
    if not form.files:
        raise BadSkill("the form holds no files")
    if len(form.files) == 1 and form.files[0][0].rpartition("/")[2] != SKILL_MD and is_zip(form.files[0][1]):
        contents = unzipped(form.files[0][1])
    else:
        contents = {}
        for name, data in form.files:
            if any(is_litter(part) for part in name.split("/")):
                continue
            check_path(name)
            if name in contents:
                raise BadSkill(f"the form has {shown(name)} twice")
            contents[name] = data
    return _in_one_folder(contents)


def _in_one_folder(contents: dict[str, bytes]) -> Skill:
    """Files below one folder, which names the skill; or at the root, where SKILL.md does."""
    if SKILL_MD in contents:
        return skill_of(str(frontmatter_of(contents[SKILL_MD])["name"]), contents)
    folders = {path.partition("/")[0] for path in contents}
    if len(folders) != 1:
        raise BadSkill(f"the files are not all in one folder with a {SKILL_MD}")
    folder = folders.pop()
    return skill_of(folder, {path.partition("/")[2]: data for path, data in contents.items() if "/" in path})
