namespace NodeAgent.StandIn.Storage;

/// <summary>A change: created (no <paramref name="Old"/>), changed, or removed (no <paramref name="New"/>).</summary>
/// <param name="Revision">The store's revision after the change.</param>
/// <param name="Last">Of a removal: the last state, with the revision of the removal.</param>
internal sealed record StoreEvent(ResourceDefinition Definition, long Revision, StoredObject? Old, StoredObject? New, StoredObject? Last)
{
    public StoredObject Subject => New ?? Last!;
}
