//! Labels, annotations and names that more than one part has to spell alike.

/// Recommended label: what kind of thing an object belongs to; always [`NAME`].
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Value of [`LABEL_NAME`] on everything that belongs to a TimCluster.
pub const NAME: &str = "tim";
/// Recommended label: the name of the TimCluster.
pub const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";
/// Recommended label: who writes the object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_MANAGED_BY`], and the field manager of owned objects.
pub const MANAGER: &str = "tim-operator";
/// Field manager of status writes.
pub const STATUS_MANAGER: &str = "tim-operator-status";
/// Field manager of `tim` where it acts as a user.
pub const USER_MANAGER: &str = "tim";
/// Recommended label: the part an object plays.
pub const LABEL_COMPONENT: &str = "app.kubernetes.io/component";
/// Label on pods that carries the revision (image and configuration) they were made for.
pub const LABEL_REVISION: &str = "timcluster.io/revision";

/// On owned objects: hash of the desired object, so that an unchanged one is not written again.
pub const ANNOTATION_DESIRED: &str = "timcluster.io/desired-hash";
/// On the StatefulSet: the default image the cluster was created with, used while `spec.image` is absent.
pub const ANNOTATION_DEFAULT_IMAGE: &str = "timcluster.io/default-image";
/// Of the user: `"true"` stops all writes of the operator but the status.
pub const ANNOTATION_PAUSE: &str = "timcluster.io/pause";
/// Of the user: a changed value is a rolling restart.
pub const ANNOTATION_RESTART: &str = "timcluster.io/restart";

/// Finalizer of both resources.
pub const FINALIZER: &str = "timcluster.io/finalizer";
