"""`/api/v1/flows...`, `/task-definitions`, `/descriptor-sets`, `/schemas/flow`."""

from __future__ import annotations

from django.urls import URLPattern, path

from flows.api import catalog, descriptors, flows, versions

urlpatterns: list[URLPattern] = [
    path("flows", flows.Flows.as_view(), name="flows"),
    path("flows/validate", flows.Validate.as_view(), name="flow-validate"),
    path("flows/<str:flow_id>", flows.Flow.as_view(), name="flow"),
    path("flows/<str:flow_id>/activate", flows.Activate.as_view(), name="flow-activate"),
    path("flows/<str:flow_id>/deactivate", flows.Deactivate.as_view(), name="flow-deactivate"),
    path("flows/<str:flow_id>/versions", versions.Versions.as_view(), name="flow-versions"),
    path("flows/<str:flow_id>/versions/<int:number>", versions.Version.as_view(), name="flow-version"),
    path("flows/<str:flow_id>/versions/<int:number>/publish", versions.Publish.as_view(), name="flow-publish"),
    path("flows/<str:flow_id>/diff", versions.Diff.as_view(), name="flow-diff"),
    path("flows/<str:flow_id>/graph", versions.Graph.as_view(), name="flow-graph"),
    path("task-definitions", catalog.TaskDefinitions.as_view(), name="task-definitions"),
    path("task-definitions/<str:name>", catalog.TaskDefinition.as_view(), name="task-definition"),
    path("descriptor-sets", descriptors.DescriptorSets.as_view(), name="descriptor-sets"),
    path("descriptor-sets/<str:digest>", descriptors.DescriptorSet.as_view(), name="descriptor-set"),
    path("task-definitions/<str:name>/use", catalog.TaskDefinitionUse.as_view(), name="task-definition-use"),
    path("catalog", catalog.Catalog.as_view(), name="catalog"),
    path("schemas/flow", catalog.FlowSchema.as_view(), name="flow-schema"),
]
