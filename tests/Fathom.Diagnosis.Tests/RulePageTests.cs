namespace Fathom.Diagnosis.Tests;

public sealed class RulePageTests
{
    [Fact]
    public void MarkdownBecomesPlainParagraphs()
    {
        RulePage page = RulePage.Parse("# FTH123: too much\n\n**Threshold.** more than `9` (see [FTH001](FTH001.md)).\n\n## Why it matters\nOne\ntwo.\n\nThree **bold**.\n- item\n  goes on\n- next\n\n## What mends it\n| a | b |\n|---|---|\n| 1 | 2 |\n");

        Assert.Equal(("FTH123", "too much", "too-much", "more than '9' (see FTH001)."), (page.Id, page.Problem, page.Name, page.Threshold));
        Assert.Equal(["Why it matters", "What mends it"], page.Sections.Select(section => section.Title));
        Assert.Equal(["One two.", "Three bold.", "- item goes on", "- next"], page.Sections[0].Paragraphs.ToArray());
        Assert.Equal(["| a | b |", "| 1 | 2 |"], page.Sections[1].Paragraphs.ToArray());
    }

    [Xunit.Theory]
    [InlineData("")]
    [InlineData("# Something else\n\n**Threshold.** none")]
    [InlineData("# FTH001: vanishing gradient\n\nNo threshold.")]
    public void WhatIsNoPageIsRefused(string text) => Assert.Contains("# ID: problem", Assert.Throws<FormatException>(() => RulePage.Parse(text)).Message);
}
