using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Counts starts of pods with user namespaces, and volumes that are images. Source: pkg/kubelet/metrics/metrics.go.</summary>
public sealed class PodStartMetrics
{
    private readonly CounterFamily.Series _userNamespaced, _userNamespacedErrors, _images, _imagesMounted, _imageErrors;

    /// <summary>Registers them.</summary>
    /// <param name="registry">/metrics.</param>
    public PodStartMetrics(MetricsRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _userNamespaced = registry.Counter(
            "kubelet_started_user_namespaced_pods_total", "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux.").With();
        _userNamespacedErrors = registry.Counter(
            "kubelet_started_user_namespaced_pods_errors_total", "Cumulative number of errors when starting pods with user namespaces. This metric will only be collected on Linux.").With();
        _images = registry.Counter("kubelet_image_volume_requested_total", "Number of requested image volumes.").With();
        _imagesMounted = registry.Counter("kubelet_image_volume_mounted_succeed_total", "Number of successful image volume mounts.").With();
        _imageErrors = registry.Counter("kubelet_image_volume_mounted_errors_total", "Number of failed image volume mounts.").With();
    }

    /// <summary>The first pass over a pod with users of its own has come to its end.</summary>
    /// <param name="succeeded">Sandbox and containers run.</param>
    public void UserNamespaced(bool succeeded)
    {
        _userNamespaced.Increment();
        if (!succeeded)
        {
            _userNamespacedErrors.Increment();
        }
    }

    /// <summary>A container that mounts images was made, or was not.</summary>
    /// <param name="images">How many volumes.</param>
    /// <param name="mounts">How many mounts of them.</param>
    /// <param name="mountFailed">The runtime could not mount one.</param>
    public void ImageVolumes(int images, int mounts, bool mountFailed)
    {
        _images.Increment(images);
        (mountFailed ? _imageErrors : _imagesMounted).Increment(mounts);
    }
}
