namespace NodeAgent.Kubelet.Images;

/// <summary>When images are removed.</summary>
/// <param name="HighPercent">imageGCHighThresholdPercent: use of the image file system from which on images are removed.</param>
/// <param name="LowPercent">imageGCLowThresholdPercent: use down to which they are.</param>
/// <param name="MinimumAge">imageMinimumGCAge: younger ones stay.</param>
/// <param name="MaximumAge">imageMaximumGCAge: those unused for longer go whatever the disk's use; zero: none.</param>
public sealed record ImageGarbagePolicy(int HighPercent, int LowPercent, TimeSpan MinimumAge, TimeSpan MaximumAge)
{
    /// <summary>Upstream's defaults.</summary>
    public static ImageGarbagePolicy Default { get; } = new(85, 80, TimeSpan.FromMinutes(2), TimeSpan.Zero);

    /// <summary>True where there is nothing to do periodically.</summary>
    public bool IsOff => HighPercent == 100 && MaximumAge == TimeSpan.Zero;

    /// <summary>Percent of the file system in use, as upstream rounds it. The capacity is not 0.</summary>
    public static int UsedPercent(long capacity, long available) => 100 - (int)((Int128)Math.Min(available, capacity) * 100 / capacity);

    /// <summary>Bytes to free; 0 below the high threshold.</summary>
    public long ToFree(long capacity, long available) =>
        UsedPercent(capacity, available) < HighPercent ? 0 : (long)((Int128)capacity * (100 - LowPercent) / 100) - Math.Min(available, capacity);
}
