"""The only module that knows which admin theme we run on.

Everything else uses these names; falling back to Django's own admin means changing this file, the app list in
the settings and nothing more.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

# The theme's pages already load these, so ours must not load them a second time.
BRINGS_HTMX = True
BRINGS_ASSETS = True


class ThemeModelAdmin(ModelAdmin):  # type: ignore[misc]
    """`ModelAdmin` in the theme's look."""

    list_fullwidth = True
    show_full_result_count = False


class ThemeTabularInline(TabularInline):  # type: ignore[misc]
    """`TabularInline` in the theme's look."""


UncountedPaginator = InfinitePaginator
TextInput = UnfoldAdminTextInputWidget
Select = UnfoldAdminSelectWidget
UserForms = (UserChangeForm, UserCreationForm, AdminPasswordChangeForm)


def themed(original: type[admin.ModelAdmin[Any]]) -> type[admin.ModelAdmin[Any]]:
    """A third party's ModelAdmin with the theme's inputs."""
    return type(f"Themed{original.__name__}", (ThemeModelAdmin, original), {})
