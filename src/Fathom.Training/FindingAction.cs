namespace Fathom.Training;

/// <summary>What a watched run does at an error that has stood for long enough, or that training cannot end.</summary>
public enum FindingAction
{
    /// <summary>Tells it and goes on.</summary>
    Report,

    /// <summary>Tells it on the error stream, too, and goes on.</summary>
    Warn,

    /// <summary>Ends there, with the state as it is.</summary>
    Stop,

    /// <summary>Goes back to the last healthy state and ends there.</summary>
    Rollback,
}
