namespace Fathom.Diagnosis.Remedies;

/// <summary>Numbers that a remedy chooses, as one would write them by hand.</summary>
internal static class Rounded
{
    /// <summary>Keeps so many digits.</summary>
    public static double To(double value, int digits)
    {
        if (value == 0 || !double.IsFinite(value))
        {
            return value;
        }
        int places = digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return places is >= 0 and <= 15
            ? Math.Round(value, places)
            : double.Parse(value.ToString($"E{digits - 1}", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);
    }
}
